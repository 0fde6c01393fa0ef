using Fewbit.Tensors;

namespace Fewbit.Graphs.Operators;

/// <summary>(clamp(round_half_even(x / scale) + zeroPoint, Min, Max) - zeroPoint) * scale with one scale for the whole tensor.</summary>
/// <param name="Min">Lowest code.</param>
/// <param name="Max">Highest code.</param>
/// <remarks>
/// Inputs x, scale and zeroPoint (a whole number held as a float), the last two of one element.
/// Its gradient is the straight-through estimator for x and that of Esser et al., "Learned Step Size Quantization", 2020, arXiv:1902.08153, for the scale;
/// the zero point gets none.
/// </remarks>
internal sealed record FakeQuantize(float Min, float Max) : IDifferentiable, IInPlaceOperator
{
    public static FakeQuantize Parse(Node node) => new(node.Float("min"), node.Float("max"));

    public void Infer(InferenceContext context)
    {
        context.Node.ExpectInputs(3, 3);
        FakeQuantization.CheckScalars(context);
        context.SetOutput(0, context.InputType(0), context.InputShape(0));
    }

    public void Evaluate(EvaluationContext context)
    {
        switch (context.Input(0).Type)
        {
            case ElementType.Float32:
                FakeQuantization.Forward(context.Input(0), FakeQuantization.Grid<float>(context, Min, Max), context.Output(0));
                break;
            case ElementType.Float64:
                FakeQuantization.Forward(context.Input(0).Span<double>(), FakeQuantization.Grid<double>(context, Min, Max), context.Output(0).Span<double>());
                break;
            default:
                throw context.Node.Fail($"does not take {context.Input(0).Type.Name()}");
        }
    }

    public bool CanOverwrite(int index) => index == 0;

    public void Gradient(GradientContext context)
    {
        if (context.OutputGradient() is not { } gradient || !(context.Needs(0) || context.Needs(1))) return;
        Node node = context.Graph.InsertNode(context.Graph.Nodes.Count, OperatorTable.FewbitDomain, "FakeQuantizeGradient",
            [context.Input(0), context.Input(1), context.Input(2), gradient], new() { { "min", Min }, { "max", Max } }, outputs: 2);
        if (context.Needs(0)) context.SetInputGradient(0, node.Outputs[0]);
        if (context.Needs(1)) context.SetInputGradient(1, node.Outputs[1]);
    }
}

/// <summary>Gradients of <see cref="FakeQuantize"/>: of x (passed on where the code is not clamped) and of the scale.</summary>
/// <param name="Min">Lowest code.</param>
/// <param name="Max">Highest code.</param>
internal sealed record FakeQuantizeGradient(float Min, float Max) : IOperator
{
    public static FakeQuantizeGradient Parse(Node node) => new(node.Float("min"), node.Float("max"));

    public void Infer(InferenceContext context)
    {
        context.Node.ExpectInputs(4, 4);
        FakeQuantization.CheckScalars(context);
        context.SetOutput(0, context.InputType(0), context.InputShape(0));
        context.SetOutput(1, context.InputType(1), context.InputShape(1));
    }

    public void Evaluate(EvaluationContext context)
    {
        switch (context.Input(0).Type)
        {
            case ElementType.Float32:
                context.Output(1).Span<float>()[0] = FakeQuantization.Backward(context.Input(0).Span<float>(), FakeQuantization.Grid<float>(context, Min, Max),
                    context.Input(3).Span<float>(), context.Output(0).Span<float>());
                break;
            case ElementType.Float64:
                context.Output(1).Span<double>()[0] = FakeQuantization.Backward(context.Input(0).Span<double>(), FakeQuantization.Grid<double>(context, Min, Max),
                    context.Input(3).Span<double>(), context.Output(0).Span<double>());
                break;
            default:
                throw context.Node.Fail($"does not take {context.Input(0).Type.Name()}");
        }
    }
}
