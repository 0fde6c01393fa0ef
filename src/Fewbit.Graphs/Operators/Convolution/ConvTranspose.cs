using System.Numerics;
using Fewbit.Tensors;

namespace Fewbit.Graphs.Operators;

/// <summary>ONNX ConvTranspose, opset 11: the adjoint of a convolution in its image, plus a bias. x [N, C, spatial], w [C, M / groups, kernel].</summary>
/// <param name="Window">Strides, dilations, padding of the convolution whose adjoint this is.</param>
/// <param name="Groups">Groups of channels that do not meet.</param>
/// <param name="OutputPadding">Added to the length of the output at its end.</param>
/// <param name="OutputShape">Lengths of the output, from which the padding follows; null: they follow from the padding.</param>
internal sealed record ConvTranspose(WindowAttributes Window, long Groups, long[]? OutputPadding, long[]? OutputShape) : ICompiledOperator, IDifferentiable
{
    public static ConvTranspose Parse(Node node)
    {
        long groups = node.Int("group", 1);
        node.Expect(groups is >= 1 and <= int.MaxValue, $"group is {groups}, expected 1 or more");
        return new(WindowAttributes.Parse(node), groups, node.Ints("output_padding"), node.Ints("output_shape"));
    }

    public void Infer(InferenceContext context)
    {
        Node node = context.Node;
        node.ExpectInputs(2, 3);
        ElementType type = node.ExpectOneFloatType(context);
        if (context.InputShape(0) is not { } x || context.InputShape(1) is not { } w)
        {
            context.SetOutput(0, type, null);
            return;
        }
        node.Expect(x.Rank >= 3 && x.Rank == w.Rank, $"input has shape {x} and weight {w}, expected equal ranks of 3 or more");
        Check(node, x.Rank - 2);
        node.Expect(x[1].MayEqual(w[0]), $"input has {x[1]} channels, but the weight {w} takes {w[0]}");
        node.Expect(!x[1].IsKnown || x[1].Length % Groups == 0, $"input has {x[1]} channels, which {Groups} groups do not divide");
        node.ExpectVector(context, 2, w[1] * Groups, "bias");
        ConvKernels.CheckKernelShape(node, w);
        var dims = new Dim[x.Rank];
        (dims[0], dims[1]) = (x[0], w[1] * Groups);
        for (int i = 2; i < x.Rank; i++)
        {
            int axis = i - 2;
            dims[i] = w[i].IsKnown ? x[i].Map(length => Axis(node, axis, x.Rank - 2, length, w[axis + 2].Length).In) : Dim.Unknown;
        }
        context.SetOutput(0, type, new(dims));
    }

    public void Evaluate(EvaluationContext context) => this.PrepareAndRun(context);

    public IKernel? Compile(CompilationContext context)
    {
        ConvGeometry shape = Geometry(context.Node, context.InputShape(0), context.InputShape(1));
        return context.InputType(0) switch
        {
            ElementType.Float32 when PlanarConvBackwardDataKernel.Fits(shape) => new PlanarConvBackwardDataKernel(shape.ToPlanar(), hasBias: true),
            ElementType.Float32 => new Kernel<float>(shape),
            ElementType.Float64 => new Kernel<double>(shape),
            ElementType other => context.Node.NoKernel(other),
        };
    }

    public void Gradient(GradientContext context)
    {
        if (context.OutputGradient() is not { } gradient) return;
        (Value x, Value w, Value image) = (context.Input(0), context.Input(1), gradient);
        (Attributes attributes, int[] cut) = Adjoint(context.Node);
        for (int axis = 0; axis < cut.Length; axis++) image = cut[axis] > 0 ? image.Slice(axis + 2, 0, -cut[axis]) : image;
        if (context.Needs(0)) context.SetInputGradient(0, image.Apply("Conv", attributes, w));
        if (context.Needs(1)) context.SetInputGradient(1, image.Apply(OperatorTable.FewbitDomain, "ConvBackwardWeights", attributes.Clone(body => body), x, w.Apply("Shape")));
        if (context.Needs(2)) context.SetInputGradient(2, ConvGradients.Bias(gradient, context.Input(2)));
    }

    /// <summary>The convolution whose adjoint this is: from the output's image to the input's.</summary>
    internal ConvGeometry Geometry(Node node, Shape x, Shape w)
    {
        WindowAxis[] axes = [WindowAxis.Single, WindowAxis.Single, WindowAxis.Single];
        int rank = x.Rank - 2;
        Check(node, rank);
        for (int axis = 0; axis < rank; axis++) axes[WindowAttributes.MaxSpatialRank - rank + axis] = Axis(node, axis, rank, x[axis + 2], w[axis + 2]);
        return new(checked((int)x[0]), checked((int)(w[1] * Groups)), checked((int)w[0]), (int)Groups, axes);
    }

    /// <summary>Attributes of that convolution, its padding spelled out, and what is cut off its image first: an output padding of a stride or more adds elements that no tap meets.</summary>
    private (Attributes Attributes, int[] Cut) Adjoint(Node node)
    {
        if (node.Input(0)!.Shape is not { } x || node.Input(1)!.Shape is not { IsKnown: true } w) throw node.Fail("has a weight or input of unknown shape, which its gradient rule needs");
        int rank = x.Rank - 2;
        var pads = new long[2 * rank];
        var cut = new int[rank];
        for (int axis = 0; axis < rank; axis++)
        {
            bool needsLength = OutputShape is not null || Window.AutoPad is AutoPad.SameUpper or AutoPad.SameLower;
            node.Expect(x[axis + 2].IsKnown || !needsLength, $"has an input of shape {x}: its gradient rule needs the lengths, since padding follows from them");
            WindowAxis geometry = Axis(node, axis, rank, needsLength ? x[axis + 2].Length : 1, w[axis + 2].Length);
            int end = geometry.PadEnd - OutputPad(axis) / Window.Stride(axis) * Window.Stride(axis);
            (pads[axis], pads[axis + rank], cut[axis]) = (geometry.PadBegin, Math.Max(0, end), Math.Max(0, -end));
        }
        var attributes = new Attributes { { "pads", pads }, { "group", Groups } };
        if (Window.Strides is not null) attributes.Add("strides", Window.Strides);
        if (Window.Dilations is not null) attributes.Add("dilations", Window.Dilations);
        return (attributes, cut);
    }

    /// <summary>In is the length of this operator's output, Out that of its input.</summary>
    private WindowAxis Axis(Node node, int axis, int rank, long input, long kernel)
    {
        int stride = Window.Stride(axis), dilation = Window.Dilation(axis), length = checked((int)input);
        int full = checked(stride * (length - 1) + OutputPad(axis) + dilation * ((int)kernel - 1) + 1);
        (int begin, int end) = (Window.PadBegin(axis), Window.PadEnd(axis));
        if (OutputShape is not null || Window.AutoPad is AutoPad.SameUpper or AutoPad.SameLower)
        {
            int wanted = OutputShape is not null ? (int)OutputShape[axis + OutputShape.Length - rank] : length * stride;
            // The specification gives the odd element to the end for SAME_UPPER and to the start otherwise.
            int total = Math.Max(0, full - wanted), small = total / 2;
            (begin, end) = Window.AutoPad == AutoPad.SameUpper ? (small, total - small) : (total - small, small);
            return new(wanted, length, (int)kernel, stride, dilation, begin, end);
        }
        node.Expect(full - begin - end >= 0, $"pads [{string.Join(", ", Window.Pads ?? [])}] leave nothing of the output's length {full} in spatial dimension {axis}");
        return new(full - begin - end, length, (int)kernel, stride, dilation, begin, end);
    }

    private int OutputPad(int axis) => (int)(OutputPadding?[axis] ?? 0);

    private void Check(Node node, int rank)
    {
        Window.Check(node, rank);
        node.Expect(OutputPadding is null || OutputPadding.Length == rank, $"output_padding has {OutputPadding?.Length} values, expected {rank}");
        node.Expect(OutputShape is null || OutputShape.Length == rank || OutputShape.Length == rank + 2, $"output_shape has {OutputShape?.Length} values, expected {rank}");
    }

    private sealed class Kernel<T>(ConvGeometry shape) : IKernel where T : unmanaged, IBinaryFloatingPointIeee754<T>
    {
        public void Run(EvaluationContext context)
        {
            Span<T> y = context.Output(0).Span<T>();
            ConvKernels.FillBias(y, context.FindInput(2), shape.InChannels, shape.InPlane);
            ConvReference.Accumulate<T, ConvReference.ToImage>(shape, y, context.Input(1).Span<T>(), context.Input(0).Span<T>());
        }
    }
}
