using Fewbit.Tensors;

namespace Fewbit.Graphs.Operators;

/// <summary>All lengths of a pooling of x [N, C, spatial].</summary>
/// <param name="Planes">N * C: each plane is pooled by itself.</param>
/// <param name="Axes">Three spatial dimensions, depth first.</param>
internal sealed record PoolGeometry(int Planes, WindowAxis[] Axes)
{
    public int InPlane => checked(Axes[0].In * Axes[1].In * Axes[2].In);

    public int OutPlane => checked(Axes[0].Out * Axes[1].Out * Axes[2].Out);

    /// <summary>True where the fast kernels of two dimensions serve.</summary>
    public bool IsPlanar => Axes[0] == WindowAxis.Single;

    public static PoolGeometry Of(Node node, WindowAttributes window, long[] kernel, Shape x) =>
        new(checked((int)(x[0] * x[1])), window.Axes(node, x.Dims[2..], kernel));

    /// <summary>Visits each output of a plane with the range of taps that lie on the image.</summary>
    public void ForEachWindow(Action<int, WindowRange> visit)
    {
        for (int i = 0, at = 0; i < Axes[0].Out; i++)
        {
            for (int j = 0; j < Axes[1].Out; j++)
            {
                for (int k = 0; k < Axes[2].Out; k++) visit(at++, new(Axes, i, j, k));
            }
        }
    }
}

/// <summary>The window of one output.</summary>
internal readonly record struct WindowRange(WindowAxis[] Axes, int I, int J, int K)
{
    /// <summary>Positions in a plane that the window covers, row by row.</summary>
    public IEnumerable<int> Positions()
    {
        (WindowAxis a, WindowAxis b, WindowAxis c) = (Axes[0], Axes[1], Axes[2]);
        for (int p = a.FirstTap(I); p < a.EndTap(I); p++)
        {
            for (int q = b.FirstTap(J); q < b.EndTap(J); q++)
            {
                int row = (a.Position(I, p) * b.In + b.Position(J, q)) * c.In;
                for (int r = c.FirstTap(K); r < c.EndTap(K); r++) yield return row + c.Position(K, r);
            }
        }
    }

    /// <summary>Taps on the image, or on the image and its padding.</summary>
    public int Count(bool includesPad) => CountOf(Axes[0], I, includesPad) * CountOf(Axes[1], J, includesPad) * CountOf(Axes[2], K, includesPad);

    /// <summary>Taps of one dimension on the image, or on the image and its padding; rounding the output up may leave taps outside both.</summary>
    public static int CountOf(WindowAxis axis, int output, bool includesPad)
    {
        if (!includesPad) return Math.Max(0, axis.EndTap(output) - axis.FirstTap(output));
        int room = axis.In + axis.PadBegin + axis.PadEnd - output * axis.Stride;
        return Math.Clamp((room + axis.Dilation - 1) / axis.Dilation, 0, axis.Kernel);
    }
}

/// <summary>Inference that all pooling operators share.</summary>
internal static class PoolInference
{
    public static long[] Kernel(Node node)
    {
        long[] kernel = node.Ints("kernel_shape") ?? throw node.Fail("has no attribute 'kernel_shape'");
        node.Expect(kernel.Length > 0 && Array.TrueForAll(kernel, length => length >= 1), $"kernel_shape is [{string.Join(", ", kernel)}], expected lengths of 1 or more");
        return kernel;
    }

    public static SymbolicShape? Output(InferenceContext context, WindowAttributes window, long[] kernel)
    {
        Node node = context.Node;
        if (context.InputShape(0) is not { } x) return null;
        node.Expect(x.Rank == kernel.Length + 2, $"input has shape {x}, but kernel_shape has {kernel.Length} lengths, expected {x.Rank - 2}");
        window.Check(node, kernel.Length);
        var dims = new Dim[x.Rank];
        (dims[0], dims[1]) = (x[0], x[1]);
        for (int axis = 0; axis < kernel.Length; axis++) dims[axis + 2] = window.Output(node, axis, x[axis + 2], kernel[axis]);
        return new(dims);
    }
}
