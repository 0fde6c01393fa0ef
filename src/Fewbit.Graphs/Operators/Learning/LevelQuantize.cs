using Fewbit.Tensors;

namespace Fewbit.Graphs.Operators;

/// <summary>nearest(x / scale) * scale with the numbers of any format; each element takes part with a probability and passes unchanged otherwise.</summary>
/// <param name="Numbers">The numbers.</param>
/// <param name="Probability">That an element is quantized, 0 to 1.</param>
/// <param name="Stream">Number of the quantizer, so that two of them draw different elements from one seed.</param>
/// <param name="GradientScale">Factor on the gradient of the scale.</param>
/// <remarks>
/// Inputs x, scale (one element) and seed (int32, one element; left out where every element is quantized). What <see cref="FakeQuantize"/> and
/// <see cref="DropQuantize"/> are to integers. Its gradients: of x straight through between the lowest and the highest number, 0 beyond; of the scale,
/// nearest - x / scale between them, the number of the end beyond: Esser et al., "Learned Step Size Quantization", 2020, arXiv:1902.08153, for any set of numbers.
/// </remarks>
internal sealed record LevelQuantize(NumberSet Numbers, float Probability, int Stream, float GradientScale) : IDifferentiable, IInPlaceOperator
{
    public static LevelQuantize Parse(Node node)
    {
        float probability = node.Float("probability", 1);
        node.Expect(probability is >= 0 and <= 1, $"probability is {probability}, expected a number in [0, 1]");
        node.Expect(probability == 1 || node.Input(2) is not null, $"has no seed, expected one where the probability is {probability}");
        return new(NumberSet.Parse(node), probability, (int)node.Int("stream", 0), node.Float("gradient_scale", 1));
    }

    public static void Check(InferenceContext context)
    {
        foreach (int i in (ReadOnlySpan<int>)[1, 2])
        {
            if (context.Node.Input(i) is null) continue;
            SymbolicShape? shape = context.InputShape(i);
            context.Node.Expect(shape is null || shape.All(dim => dim.MayEqual(1)), $"{(i == 1 ? "scale" : "seed")} has shape {shape}, expected one element");
        }
        context.ExpectOneType(0, 1);
        if (context.Node.Input(2) is not null) context.ExpectType(2, type => type == ElementType.Int32, "int32");
    }

    public void Infer(InferenceContext context)
    {
        context.Node.ExpectInputs(2, 3);
        Check(context);
        context.SetOutput(0, context.InputType(0), context.InputShape(0));
    }

    public void Evaluate(EvaluationContext context)
    {
        (CounterHash hash, uint threshold) = (HashOf(context), CounterHash.Threshold(Probability));
        switch (context.Input(0).Type)
        {
            case ElementType.Float32:
                LevelQuantization.Forward(Numbers, context.Input(0), context.Input(1).Item<float>(), hash, threshold, context.Output(0));
                break;
            case ElementType.Float64:
                LevelQuantization.Forward(Numbers, context.Input(0).Span<double>(), context.Input(1).Item<double>(), hash, threshold, context.Output(0).Span<double>());
                break;
            default:
                throw context.Node.Fail($"does not take {context.Input(0).Type.Name()}");
        }
    }

    public bool CanOverwrite(int index) => index == 0;

    public void Gradient(GradientContext context)
    {
        if (context.OutputGradient() is not { } gradient || !(context.Needs(0) || context.Needs(1))) return;
        var attributes = new Attributes();
        foreach ((string name, object value) in context.Node.Attributes) attributes.Add(name, value);
        Node node = context.Graph.InsertNode(context.Graph.Nodes.Count, OperatorTable.FewbitDomain, "LevelQuantizeGradient",
            [context.Input(0), context.Input(1), context.Node.Input(2), gradient], attributes, outputs: 2);
        if (context.Needs(0)) context.SetInputGradient(0, node.Outputs[0]);
        if (context.Needs(1)) context.SetInputGradient(1, node.Outputs[1]);
    }

    public CounterHash HashOf(EvaluationContext context) => Probability == 1 ? default : new((uint)context.Input(2).Span<int>()[0], (uint)Stream);
}

/// <summary>Gradients of <see cref="LevelQuantize"/>: of x and of the scale. Inputs are its own and the gradient that arrives.</summary>
/// <param name="Forward">The operator that is differentiated.</param>
internal sealed record LevelQuantizeGradient(LevelQuantize Forward) : IOperator, IInPlaceOperator
{
    public static LevelQuantizeGradient Parse(Node node) => new(LevelQuantize.Parse(node));

    public void Infer(InferenceContext context)
    {
        context.Node.ExpectInputs(4, 4);
        LevelQuantize.Check(context);
        context.SetOutput(0, context.InputType(0), context.InputShape(0));
        context.SetOutput(1, context.InputType(1), context.InputShape(1));
    }

    public bool CanOverwrite(int index) => index == 3;

    public void Evaluate(EvaluationContext context)
    {
        (CounterHash hash, uint threshold) = (Forward.HashOf(context), CounterHash.Threshold(Forward.Probability));
        switch (context.Input(0).Type)
        {
            case ElementType.Float32:
                float single = LevelQuantization.Backward(context, Forward.Numbers, context.Input(0), context.Input(1).Item<float>(), hash, threshold, context.Input(3), context.Output(0));
                context.Output(1).Span<float>()[0] = Forward.GradientScale * single;
                break;
            case ElementType.Float64:
                double sum = LevelQuantization.Backward(Forward.Numbers, context.Input(0).Span<double>(), context.Input(1).Item<double>(), hash, threshold, context.Input(3).Span<double>(), context.Output(0).Span<double>());
                context.Output(1).Span<double>()[0] = Forward.GradientScale * sum;
                break;
            default:
                throw context.Node.Fail($"does not take {context.Input(0).Type.Name()}");
        }
    }
}
