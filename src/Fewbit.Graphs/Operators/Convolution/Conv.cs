using Fewbit.Tensors;
using Fewbit.Tensors.Kernels;

namespace Fewbit.Graphs.Operators;

/// <summary>ONNX Conv, opset 11: y[n, m] = b[m] + sum over c of x[n, c] * w[m, c]; and ai.fewbit FusedConv, which adds input 3 and applies an activation.</summary>
/// <param name="Window">Strides, dilations, padding.</param>
/// <param name="Groups">Groups of channels that do not meet.</param>
/// <param name="Activation">Applied last.</param>
/// <param name="AllowsWinograd">Whether sums may be transformed for speed: they then differ by about 5e-6 of the largest, and integers do not stay exact.</param>
internal sealed record Conv(WindowAttributes Window, long Groups, Activation Activation, bool AllowsWinograd = false) : ICompiledOperator, IDifferentiable
{
    private const int Residual = 3;

    public static Conv Parse(Node node)
    {
        long groups = node.Int("group", 1);
        node.Expect(groups is >= 1 and <= int.MaxValue, $"group is {groups}, expected 1 or more");
        return new(WindowAttributes.Parse(node), groups, default);
    }

    public static Conv ParseFused(Node node) => Parse(node) with { Activation = FusedActivation.Parse(node), AllowsWinograd = node.Int("winograd", 0) != 0 };

    public void Infer(InferenceContext context)
    {
        Node node = context.Node;
        node.ExpectInputs(2, node.OpType == "FusedConv" ? 4 : 3);
        ElementType type = node.ExpectOneFloatType(context);
        if (context.InputShape(0) is not { } x || context.InputShape(1) is not { } w)
        {
            context.SetOutput(0, type, null);
            return;
        }
        node.Expect(x.Rank >= 3 && x.Rank == w.Rank, $"input has shape {x} and weight {w}, expected equal ranks of 3 or more");
        Window.Check(node, x.Rank - 2);
        node.Expect(x[1].MayEqual(w[1] * Groups), $"input has {x[1]} channels, but the weight {w} in {Groups} group(s) takes {w[1] * Groups}");
        node.Expect(!w[0].IsKnown || w[0].Length % Groups == 0, $"weight has {w[0]} output channels, which {Groups} groups do not divide");
        node.ExpectVector(context, 2, w[0], "bias");
        ConvKernels.CheckKernelShape(node, w);
        var dims = new Dim[x.Rank];
        (dims[0], dims[1]) = (x[0], w[0]);
        for (int axis = 0; axis < x.Rank - 2; axis++) dims[axis + 2] = w[axis + 2].IsKnown ? Window.Output(node, axis, x[axis + 2], w[axis + 2].Length) : Dim.Unknown;
        context.SetOutput(0, type, new(dims));
    }

    public void Evaluate(EvaluationContext context) => this.PrepareAndRun(context);

    public IKernel? Compile(CompilationContext context)
    {
        var shape = ConvGeometry.Of(context.Node, Window, Groups, context.InputShape(0), context.InputShape(1));
        if (context.Node.Outputs[0].Layout == Layout.ChannelBlocks16) return CompileBlocked(context, shape.ToPlanar());
        return context.InputType(0) switch
        {
            ElementType.Float32 when shape.IsMatrixProduct => new ProductConvKernel(shape, Activation, context.Constant(1)),
            ElementType.Float32 when shape.IsPlanar && AllowsWinograd && context.Constant(1) is { } weight && TakesWinograd(context, shape.ToPlanar()) => new WinogradConvKernel(shape.ToPlanar(), Activation, weight),
            ElementType.Float32 when shape.IsPlanar => new PlanarConvKernel(shape.ToPlanar(), Activation, context.Constant(1)),
            ElementType.Float32 => new ReferenceConvKernel<float>(shape, Activation),
            ElementType.Float64 => new ReferenceConvKernel<double>(shape, Activation),
            ElementType other => context.Node.NoKernel(other),
        };
    }

    private static bool TakesWinograd(CompilationContext context, Conv2DShape shape) => WinogradConv2D.Fits(shape) && context.Winograd.TryTake(WinogradConv2D.PackedWeightBytes(shape));

    /// <summary>Weights that change are transformed in each run, in scratch that is shared; constant ones are kept.</summary>
    private static bool TakesBlockedWinograd(CompilationContext context, Conv2DShape shape, Tensor? weight) => weight is null
        ? BlockedWinogradConv2D.Fits(shape)
        : BlockedWinogradConv2D.Fits(shape) && context.Winograd.TryTake(BlockedWinogradConv2D.PackedWeightBytes(shape));

    private IKernel CompileBlocked(CompilationContext context, Conv2DShape shape)
    {
        (Tensor? weight, Tensor? bias) = (context.Constant(1), context.Constant(2));
        if (context.Node.Inputs[0]!.Layout == Layout.RowMajor) return new BlockedConvKernel<PlanesRoute>(shape, Activation, weight, bias);
        if (AllowsWinograd && TakesBlockedWinograd(context, shape, weight)) return new BlockedConvKernel<WinogradRoute>(shape, Activation, weight, bias);
        return BlockedConv2D.Fits(shape) ? new BlockedConvKernel<DirectRoute>(shape, Activation, weight, bias) : new BlockedConvKernel<ConvertingRoute>(shape, Activation, weight, bias);
    }

    public void Gradient(GradientContext context)
    {
        Node node = context.Node;
        if (context.OutputGradient() is not { } gradient) return;
        if (Activation.Kind != ActivationKind.None)
        {
            CompositeGradient.Apply(context, inputs =>
            {
                Value sum = inputs[0]!.Apply("Conv", ConvGradients.Geometry(node), inputs[1], inputs.ElementAtOrDefault(2));
                return [FusedActivation.SpellOut(Activation, inputs.ElementAtOrDefault(Residual) is { } residual ? sum + residual : sum)];
            });
            return;
        }
        (Value x, Value w) = (context.Input(0), context.Input(1));
        if (context.Needs(0)) context.SetInputGradient(0, ConvGradients.Data(node, gradient, w, x));
        if (context.Needs(1)) context.SetInputGradient(1, ConvGradients.Weights(node, x, gradient, w));
        if (context.Needs(2)) context.SetInputGradient(2, ConvGradients.Bias(gradient, context.Input(2)));
        if (context.Needs(Residual)) context.SetInputGradient(Residual, gradient);
    }
}
