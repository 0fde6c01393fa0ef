using Fewbit.Tensors;

namespace Fewbit.Graphs.Operators;

/// <summary>Fake quantization that each element takes part in with a probability, and passes unchanged otherwise.</summary>
/// <param name="Min">Lowest code.</param>
/// <param name="Max">Highest code.</param>
/// <param name="Probability">That an element is quantized, 0 to 1.</param>
/// <param name="Stream">Number of the quantizer, so that two of them draw different elements from one seed.</param>
/// <param name="GradientScale">Factor on the gradient of the scale.</param>
/// <remarks>
/// Inputs x, scale, zeroPoint (a whole number held as a float), the last two of one element, and seed (int32, one element; changes with each step).
/// Wei et al., "QDrop", 2022, arXiv:2203.05740. Gradients as those of <see cref="FakeQuantize"/>, for the elements that are quantized.
/// </remarks>
internal sealed record DropQuantize(float Min, float Max, float Probability, int Stream, float GradientScale) : IDifferentiable, IInPlaceOperator
{
    public static DropQuantize Parse(Node node)
    {
        float probability = node.Float("probability", 1);
        node.Expect(probability is >= 0 and <= 1, $"probability is {probability}, expected a number in [0, 1]");
        return new(node.Float("min"), node.Float("max"), probability, (int)node.Int("stream", 0), node.Float("gradient_scale", 1));
    }

    public Attributes ToAttributes() => new() { { "min", Min }, { "max", Max }, { "probability", Probability }, { "stream", (long)Stream }, { "gradient_scale", GradientScale } };

    public static void Check(InferenceContext context)
    {
        FakeQuantization.CheckScalars(context);
        SymbolicShape? seed = context.InputShape(3);
        context.Node.Expect(seed is null || seed.All(dim => dim.MayEqual(1)), $"seed has shape {seed}, expected one element");
        context.ExpectType(3, type => type == ElementType.Int32, "int32");
    }

    public void Infer(InferenceContext context)
    {
        context.Node.ExpectInputs(4, 4);
        Check(context);
        context.SetOutput(0, context.InputType(0), context.InputShape(0));
    }

    public void Evaluate(EvaluationContext context)
    {
        CounterHash hash = HashOf(context);
        switch (context.Input(0).Type)
        {
            case ElementType.Float32:
                DropQuantization.Forward(context.Input(0), FakeQuantization.Grid<float>(context, Min, Max), hash, CounterHash.Threshold(Probability), context.Output(0));
                break;
            case ElementType.Float64:
                DropQuantization.Forward(context.Input(0).Span<double>(), FakeQuantization.Grid<double>(context, Min, Max), hash, CounterHash.Threshold(Probability), context.Output(0).Span<double>());
                break;
            default:
                throw context.Node.Fail($"does not take {context.Input(0).Type.Name()}");
        }
    }

    public bool CanOverwrite(int index) => index == 0;

    public void Gradient(GradientContext context)
    {
        if (context.OutputGradient() is not { } gradient || !(context.Needs(0) || context.Needs(1))) return;
        Node node = context.Graph.InsertNode(context.Graph.Nodes.Count, OperatorTable.FewbitDomain, "DropQuantizeGradient",
            [context.Input(0), context.Input(1), context.Input(2), context.Input(3), gradient], ToAttributes(), outputs: 2);
        if (context.Needs(0)) context.SetInputGradient(0, node.Outputs[0]);
        if (context.Needs(1)) context.SetInputGradient(1, node.Outputs[1]);
    }

    public CounterHash HashOf(EvaluationContext context) => new((uint)context.Input(3).Span<int>()[0], (uint)Stream);
}

/// <summary>Gradients of <see cref="DropQuantize"/>: of x and of the scale. Inputs are its own and the gradient that arrives.</summary>
/// <param name="Forward">The operator that is differentiated.</param>
internal sealed record DropQuantizeGradient(DropQuantize Forward) : IOperator, IInPlaceOperator
{
    public static DropQuantizeGradient Parse(Node node) => new(DropQuantize.Parse(node));

    public void Infer(InferenceContext context)
    {
        context.Node.ExpectInputs(5, 5);
        DropQuantize.Check(context);
        context.SetOutput(0, context.InputType(0), context.InputShape(0));
        context.SetOutput(1, context.InputType(1), context.InputShape(1));
    }

    public bool CanOverwrite(int index) => index == 4;

    public void Evaluate(EvaluationContext context)
    {
        (CounterHash hash, uint threshold) = (Forward.HashOf(context), CounterHash.Threshold(Forward.Probability));
        switch (context.Input(0).Type)
        {
            case ElementType.Float32:
                var grid = FakeQuantization.Grid<float>(context, Forward.Min, Forward.Max);
                context.Output(1).Span<float>()[0] = Forward.GradientScale * DropQuantization.Backward(context, context.Input(0), grid, hash, threshold, context.Input(4), context.Output(0));
                break;
            case ElementType.Float64:
                double sum = DropQuantization.Backward(context.Input(0).Span<double>(), FakeQuantization.Grid<double>(context, Forward.Min, Forward.Max), hash, threshold,
                    context.Input(4).Span<double>(), context.Output(0).Span<double>());
                context.Output(1).Span<double>()[0] = Forward.GradientScale * sum;
                break;
            default:
                throw context.Node.Fail($"does not take {context.Input(0).Type.Name()}");
        }
    }
}
