using Fewbit.Graphs.Operators.Elementwise;
using Fewbit.Tensors;

namespace Fewbit.Graphs.Operators.Contributed;

/// <summary>com.microsoft BiasGelu and FastGelu: a function of x + bias, the bias along the last dimension.</summary>
/// <param name="Function">The function.</param>
/// <param name="LeastInputs">2 where the bias must be there.</param>
internal sealed record BiasedFunction<TFunction>(TFunction Function, int LeastInputs) : IDifferentiable where TFunction : unmanaged, IUnaryFunction
{
    public void Infer(InferenceContext context)
    {
        Node node = context.Node;
        node.ExpectInputs(LeastInputs, 2);
        node.ExpectOneFloatType(context);
        if (context.InputShape(0) is { } x)
        {
            node.Expect(x.Rank >= 1, $"input is a scalar, expected [..., C]");
            node.ExpectVector(context, 1, x[x.Rank - 1], "bias");
        }
        context.InferLikeInput();
    }

    public void Evaluate(EvaluationContext context)
    {
        if (Converted.ThroughFloat32(context, this)) return;
        if (context.Input(0).Type == ElementType.Float64) Run<double>(context, (x, y) => Loops.Scalar(Function, x, y));
        else Run<float>(context, (x, y) => Function.Apply(x, y));
    }

    public void Gradient(GradientContext context) =>
        CompositeGradient.Apply(context, inputs => [FunctionNodes.Of(Function, inputs.ElementAtOrDefault(1) is { } bias ? inputs[0]! + bias : inputs[0]!)]);

    private static void Run<T>(EvaluationContext context, SpanFunction<T> apply) where T : unmanaged, System.Numerics.INumber<T>
    {
        Span<T> y = context.Output(0).Span<T>();
        context.Input(0).Span<T>().CopyTo(y);
        if (context.FindInput(1) is { } bias)
        {
            Span<T> added = bias.Span<T>();
            for (int start = 0; start < y.Length; start += added.Length) System.Numerics.Tensors.TensorPrimitives.Add(y.Slice(start, added.Length), added, y.Slice(start, added.Length));
        }
        apply(y, y);
    }

    private delegate void SpanFunction<T>(ReadOnlySpan<T> x, Span<T> y);
}
