using Fewbit.Tensors;

namespace Fewbit.Graphs.Operators.Elementwise;

/// <summary>ONNX Dropout, opset 13. Inference: the input itself, and a mask that is true throughout. Training: elements are dropped at random, the others divided by 1 - ratio.</summary>
/// <remarks>The same seed drops the same elements, those that NumPy's legacy generator gives and with it the reference of the operator.</remarks>
/// <param name="Seed">Start of the random numbers; 0 where the node states none.</param>
internal sealed record Dropout(long Seed) : IDifferentiable, IInPlaceOperator
{
    private const int Ratio = 1, TrainingMode = 2;

    public static Dropout Parse(Node node) => new(node.Int("seed", 0));

    public void Infer(InferenceContext context)
    {
        context.Node.ExpectInputs(1, 3);
        ExpectScalar(context, Ratio, "ratio", type => type.IsFloat(), "a real number");
        ExpectScalar(context, TrainingMode, "training_mode", type => type == ElementType.Bool, "a bool");
        context.InferLikeInput();
        context.SetOutput(1, ElementType.Bool, context.InputShape(0));
    }

    private static void ExpectScalar(InferenceContext context, int index, string name, Predicate<ElementType> accepts, string expected)
    {
        if (!context.HasInput(index)) return;
        context.ExpectType(index, accepts, expected);
        bool isOne = context.InputShape(index) is not { IsKnown: true } shape || shape.ToShape().ElementCount == 1;
        context.Node.Expect(isOne, $"{name} is {context.Node.Input(index)}, expected one element");
    }

    public void Evaluate(EvaluationContext context)
    {
        bool isTraining = context.FindInput(TrainingMode) is { } mode && mode.Item<bool>();
        float ratio = context.FindInput(Ratio) is { } given ? Casting.Convert(given, ElementType.Float32).Item<float>() : 0.5f;
        if (isTraining && ratio != 0)
        {
            context.Node.Expect(ratio is >= 0 and < 1, $"ratio is {ratio}, expected 0 or more and less than 1");
            if (!Converted.ThroughFloat32(context, this)) Drop(context, ratio);
            return;
        }
        if (!context.Input(0).IsAt(context.Output(0))) context.Input(0).CopyTo(context.Output(0));
        if (context.HasOutput(1)) context.Output(1).Span<bool>().Fill(true);
    }

    public bool CanOverwrite(int index) => index == 0;

    public void Gradient(GradientContext context)
    {
        if (!context.Needs(0) || context.OutputGradient() is not { } gradient) return;
        // The same seed and shape drop the same elements of the gradient.
        bool mayTrain = context.Node.Input(TrainingMode) is not null;
        context.SetInputGradient(0, mayTrain ? gradient.Apply("Dropout", new Attributes { { "seed", Seed } }, context.Node.Input(Ratio), context.Node.Input(TrainingMode)) : gradient);
    }

    private void Drop(EvaluationContext context, float ratio)
    {
        Tensor x = context.Input(0), y = context.Output(0), mask = context.HasOutput(1) ? context.Output(1) : Tensor.AllocateUninitialized(ElementType.Bool, x.Shape);
        var random = new MersenneTwister(unchecked((uint)Seed));
        Span<bool> kept = mask.Span<bool>();
        for (int i = 0; i < kept.Length; i++) kept[i] = random.NextDouble() >= ratio;
        if (x.Type == ElementType.Float64) Scale(x.Span<double>(), y.Span<double>(), kept, 1 / (1 - (double)ratio));
        else if (x.Type == ElementType.Float32) Scale(x.Span<float>(), y.Span<float>(), kept, 1 / (1 - ratio));
        else throw context.Node.Fail($"does not take {x.Type.Name()} elements");
    }

    private static void Scale<T>(ReadOnlySpan<T> x, Span<T> y, ReadOnlySpan<bool> kept, T factor) where T : System.Numerics.INumber<T>
    {
        for (int i = 0; i < y.Length; i++) y[i] = kept[i] ? x[i] * factor : T.Zero;
    }
}
