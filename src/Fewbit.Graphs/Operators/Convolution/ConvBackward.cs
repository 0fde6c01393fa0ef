using System.Numerics;
using Fewbit.Tensors;

namespace Fewbit.Graphs.Operators;

/// <summary>ai.fewbit ConvBackwardData(dy, w, shape of x, added): the adjoint of a convolution in its image, plus another tensor of x's shape where it is given.</summary>
/// <param name="Window">Strides, dilations, padding of the forward convolution.</param>
/// <param name="Groups">Groups of channels that do not meet.</param>
/// <param name="AllowsWinograd">Whether sums may be transformed for speed, see <see cref="Conv"/>; read from the attribute winograd.</param>
internal sealed record ConvBackwardData(WindowAttributes Window, long Groups, bool AllowsWinograd = false) : ICompiledOperator, IDifferentiable
{
    private const int Added = 3;

    public static ConvBackwardData Parse(Node node) => new(WindowAttributes.Parse(node), node.Int("group", 1), node.Int("winograd", 0) != 0);

    public void Infer(InferenceContext context)
    {
        context.Node.ExpectInputs(3, 4);
        context.SetOutput(0, context.InputType(0), ConvBackward.StatedShape(context, 2, context.InputShape(0)));
    }

    public void Evaluate(EvaluationContext context) => this.PrepareAndRun(context);

    public IKernel? Compile(CompilationContext context)
    {
        var shape = ConvGeometry.Of(context.Node, Window, Groups, context.OutputShape(0), context.InputShape(1));
        if (context.Node.Outputs[0].Layout == Layout.ChannelBlocks16) return new BlockedConvBackwardDataKernel(context.Node, shape.ToPlanar(), AllowsWinograd);
        return context.InputType(0) switch
        {
            ElementType.Float32 when PlanarConvBackwardDataKernel.Fits(shape) => new PlanarConvBackwardDataKernel(shape.ToPlanar(), hasBias: false),
            ElementType.Float32 => new Kernel<float>(shape),
            ElementType.Float64 => new Kernel<double>(shape),
            ElementType other => context.Node.NoKernel(other),
        };
    }

    public void Gradient(GradientContext context)
    {
        if (context.OutputGradient() is not { } gradient) return;
        (Value dy, Value w) = (context.Input(0), context.Input(1));
        if (context.Needs(0)) context.SetInputGradient(0, ConvGradients.Forward(context.Node, gradient, w));
        if (context.Needs(1)) context.SetInputGradient(1, ConvGradients.Weights(context.Node, gradient, dy, w));
        if (context.Needs(Added)) context.SetInputGradient(Added, gradient);
    }

    private sealed class Kernel<T>(ConvGeometry shape) : IKernel where T : unmanaged, IBinaryFloatingPointIeee754<T>
    {
        public void Run(EvaluationContext context)
        {
            Span<T> x = context.Output(0).Span<T>();
            if (context.FindInput(Added) is { } added) added.Span<T>().CopyTo(x);
            else x.Clear();
            ConvReference.Accumulate<T, ConvReference.ToImage>(shape, x, context.Input(1).Span<T>(), context.Input(0).Span<T>());
        }
    }
}

/// <summary>ai.fewbit ConvBackwardWeights(x, dy, shape of w): the adjoint of a convolution in its weights.</summary>
/// <param name="Window">Strides, dilations, padding of the forward convolution.</param>
/// <param name="Groups">Groups of channels that do not meet.</param>
/// <param name="AllowsWinograd">Whether sums may be transformed for speed, see <see cref="Conv"/>; read from the attribute winograd.</param>
internal sealed record ConvBackwardWeights(WindowAttributes Window, long Groups, bool AllowsWinograd = false) : ICompiledOperator, IDifferentiable
{
    public static ConvBackwardWeights Parse(Node node) => new(WindowAttributes.Parse(node), node.Int("group", 1), node.Int("winograd", 0) != 0);

    public void Infer(InferenceContext context)
    {
        context.Node.ExpectInputs(3, 3);
        context.SetOutput(0, context.InputType(0), ConvBackward.StatedShape(context, 2, context.InputShape(0)));
    }

    public void Evaluate(EvaluationContext context) => this.PrepareAndRun(context);

    public IKernel? Compile(CompilationContext context)
    {
        var shape = ConvGeometry.Of(context.Node, Window, Groups, context.InputShape(0), context.OutputShape(0));
        if (context.Node.Inputs[1]!.Layout == Layout.ChannelBlocks16) return new BlockedConvBackwardWeightsKernel(context.Node, shape.ToPlanar(), AllowsWinograd);
        return context.InputType(0) switch
        {
            ElementType.Float32 when PlanarConvBackwardDataKernel.Fits(shape) => new PlanarConvBackwardWeightsKernel(shape.ToPlanar()),
            ElementType.Float32 => new Kernel<float>(shape),
            ElementType.Float64 => new Kernel<double>(shape),
            ElementType other => context.Node.NoKernel(other),
        };
    }

    public void Gradient(GradientContext context)
    {
        if (context.OutputGradient() is not { } gradient) return;
        (Value x, Value dy) = (context.Input(0), context.Input(1));
        if (context.Needs(0)) context.SetInputGradient(0, ConvGradients.Data(context.Node, dy, gradient, x));
        if (context.Needs(1)) context.SetInputGradient(1, ConvGradients.Forward(context.Node, x, gradient));
    }

    private sealed class Kernel<T>(ConvGeometry shape) : IKernel where T : unmanaged, IBinaryFloatingPointIeee754<T>
    {
        public void Run(EvaluationContext context)
        {
            Span<T> w = context.Output(0).Span<T>();
            w.Clear();
            ConvReference.Accumulate<T, ConvReference.ToWeights>(shape, context.Input(0).Span<T>(), w, context.Input(1).Span<T>());
        }
    }
}

internal static class ConvBackward
{
    /// <summary>The shape that an integer input states; of the other tensor's rank while it is not known.</summary>
    public static SymbolicShape? StatedShape(InferenceContext context, int index, SymbolicShape? sameRank) =>
        context.InputDims(index) is { } dims ? new(dims) : sameRank is null ? null : SymbolicShape.OfRank(sameRank.Rank);
}
