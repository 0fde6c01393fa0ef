using Fewbit.Tensors;
using Fewbit.Tensors.Kernels;

namespace Fewbit.Graphs.Operators.Quantized;

/// <summary>
/// com.microsoft QLinearAveragePool(x, sx, zx, sy, zy): the window's values sx * (code - zx) are added in float32 in the order of memory;
/// code = clamp(round(sum / count / sy + zy)).
/// </summary>
internal sealed record QLinearAveragePool(WindowAttributes Window, long[] Kernel, bool CountsPadding, bool IsChannelsLast) : IOperator
{
    public static QLinearAveragePool Parse(Node node)
    {
        long[] kernel = node.Ints("kernel_shape") ?? throw node.Fail("has no attribute 'kernel_shape'");
        return new(WindowAttributes.Parse(node), kernel, node.Int("count_include_pad", 0) != 0, node.Int("channels_last", 0) != 0);
    }

    public void Infer(InferenceContext context)
    {
        Node node = context.Node;
        node.ExpectInputs(4, 5);
        if (context.InputShape(0) is not { } x)
        {
            context.SetOutput(0, context.InputType(0), null);
            return;
        }
        node.Expect(x.Rank == Kernel.Length + 2, $"input has shape {x}, expected {Kernel.Length} spatial dimensions");
        Window.Check(node, Kernel.Length);
        if (IsChannelsLast) x = ChannelsLast.ToFirst(x);
        var dims = new Dim[x.Rank];
        (dims[0], dims[1]) = (x[0], x[1]);
        for (int axis = 0; axis < Kernel.Length; axis++) dims[axis + 2] = Window.Output(node, axis, x[axis + 2], Kernel[axis]);
        context.SetOutput(0, context.InputType(0), IsChannelsLast ? ChannelsLast.ToLast(new(dims)) : new(dims));
    }

    public void Evaluate(EvaluationContext context)
    {
        if (IsChannelsLast) ChannelsLast.Run(context, (x, y) => Run(context, x, y));
        else Run(context, context.Input(0), context.Output(0));
    }

    private void Run(EvaluationContext context, Tensor x, Tensor y)
    {
        WindowAxis[] axes = Window.Axes(context.Node, x.Shape.Dims[2..], Kernel);
        (CodeScale input, CodeScale result) = (context.CodeScale(1, 2), context.CodeScale(3, 4));
        if (axes[0] == WindowAxis.Single && axes[1].Dilation == 1 && axes[2].Dilation == 1)
        {
            RunPlanar(axes, x, input, y, result);
            return;
        }
        int[] codes = Codes.Read(x);
        float[] values = Array.ConvertAll(codes, code => input.Scale * (code - input.ZeroPoint));
        (int min, int max) = CodeRange.Of(y.Type);
        int inPlane = axes[0].In * axes[1].In * axes[2].In, outPlane = axes[0].Out * axes[1].Out * axes[2].Out;
        var pooled = new int[y.ElementCount];
        for (int i = 0; i < pooled.Length; i++)
        {
            float mean = Mean(axes, values.AsSpan(i / outPlane * inPlane, inPlane), i % outPlane);
            pooled[i] = (int)Math.Clamp(MathF.Round(mean / result.Scale + result.ZeroPoint), min, max);
        }
        Codes.Write(pooled, y);
    }

    private unsafe void RunPlanar(WindowAxis[] axes, Tensor x, CodeScale input, Tensor y, CodeScale result)
    {
        int channels = (int)x.Shape[1];
        Conv2DShape window = new ConvGeometry((int)x.Shape[0], channels, channels, channels, axes).ToPlanar();
        QLinear.AveragePool(window, x.Address, input, y.Address, result, x.Type == ElementType.Int8, CountsPadding, axes[1].Out, axes[2].Out);
    }

    private float Mean(WindowAxis[] axes, ReadOnlySpan<float> plane, int position)
    {
        (WindowAxis a, WindowAxis b, WindowAxis c) = (axes[0], axes[1], axes[2]);
        (int i, int j, int k) = (position / (b.Out * c.Out), position / c.Out % b.Out, position % c.Out);
        float sum = 0;
        int count = 0;
        for (int p = a.FirstTap(i); p < a.EndTap(i); p++)
        {
            for (int q = b.FirstTap(j); q < b.EndTap(j); q++)
            {
                int row = (a.Position(i, p) * b.In + b.Position(j, q)) * c.In;
                for (int r = c.FirstTap(k); r < c.EndTap(k); r++, count++) sum += plane[row + c.Position(k, r)];
            }
        }
        return sum / (CountsPadding ? a.Kernel * b.Kernel * c.Kernel : count);
    }
}
