namespace Fewbit.Graphs.Operators.Elementwise;

/// <summary>The functions that fused operators apply, as nodes of their own.</summary>
internal static class FunctionNodes
{
    public static Value Of(IUnaryFunction function, Value x) => function switch
    {
        GeluFunction => x.Gelu(),
        TanhGeluFunction => x.Apply("Gelu", new Attributes { { "approximate", "tanh" } }),
        SwishFunction swish => x.Apply("Swish", new Attributes { { "alpha", swish.Alpha } }),
        _ => throw new InvalidOperationException($"Bug in {nameof(FunctionNodes)}: {function.GetType().Name} has no operator"),
    };
}
