using System.Numerics;

namespace Fewbit.Graphs.Operators;

/// <summary>A convolution and its two adjoints by their definition, in any float type: y += x * w, x += y * w, w += x * y over all (output, tap) pairs.</summary>
internal static class ConvReference
{
    /// <summary>What one multiply-add of the triple loop writes.</summary>
    internal interface ITarget
    {
        static abstract void Add<T>(ref T x, ref T w, ref T y) where T : INumberBase<T>;
    }

    /// <summary>Adds to one of the three what the other two give. The target holds what to start from (zeros, a bias).</summary>
    public static void Accumulate<T, TTarget>(ConvGeometry shape, Span<T> x, Span<T> w, Span<T> y)
        where T : unmanaged, INumberBase<T> where TTarget : struct, ITarget
    {
        int inPlane = checked((int)shape.InPlane), outPlane = checked((int)shape.OutPlane);
        for (int n = 0; n < shape.Batch; n++)
        {
            for (int m = 0; m < shape.OutChannels; m++)
            {
                int firstChannel = m / shape.GroupOutChannels * shape.GroupInChannels;
                for (int c = 0; c < shape.GroupInChannels; c++)
                {
                    Plane<T, TTarget>(shape.Axes, x.Slice((n * shape.InChannels + firstChannel + c) * inPlane, inPlane),
                        w.Slice((m * shape.GroupInChannels + c) * shape.Taps, shape.Taps), y.Slice((n * shape.OutChannels + m) * outPlane, outPlane));
                }
            }
        }
    }

    private static void Plane<T, TTarget>(WindowAxis[] axes, Span<T> x, Span<T> w, Span<T> y) where T : unmanaged, INumberBase<T> where TTarget : struct, ITarget
    {
        (WindowAxis a, WindowAxis b, WindowAxis c) = (axes[0], axes[1], axes[2]);
        int at = 0;
        for (int i = 0; i < a.Out; i++)
        {
            for (int j = 0; j < b.Out; j++)
            {
                for (int k = 0; k < c.Out; k++, at++) Window<T, TTarget>(axes, i, j, k, x, w, ref y[at]);
            }
        }
    }

    private static void Window<T, TTarget>(WindowAxis[] axes, int i, int j, int k, Span<T> x, Span<T> w, ref T y) where T : unmanaged, INumberBase<T> where TTarget : struct, ITarget
    {
        (WindowAxis a, WindowAxis b, WindowAxis c) = (axes[0], axes[1], axes[2]);
        for (int p = a.FirstTap(i); p < a.EndTap(i); p++)
        {
            for (int q = b.FirstTap(j); q < b.EndTap(j); q++)
            {
                int row = (a.Position(i, p) * b.In + b.Position(j, q)) * c.In, tap = (p * b.Kernel + q) * c.Kernel;
                for (int r = c.FirstTap(k); r < c.EndTap(k); r++) TTarget.Add(ref x[row + c.Position(k, r)], ref w[tap + r], ref y);
            }
        }
    }

    internal readonly struct ToOutput : ITarget
    {
        public static void Add<T>(ref T x, ref T w, ref T y) where T : INumberBase<T> => y += x * w;
    }

    internal readonly struct ToImage : ITarget
    {
        public static void Add<T>(ref T x, ref T w, ref T y) where T : INumberBase<T> => x += y * w;
    }

    internal readonly struct ToWeights : ITarget
    {
        public static void Add<T>(ref T x, ref T w, ref T y) where T : INumberBase<T> => w += x * y;
    }
}
