namespace Fewbit.Graphs.Operators;

/// <summary>Element-wise arithmetic.</summary>
internal static class ElementwiseOperators
{
    public static void Register(OperatorRegistry registry)
    {
        registry.Add("Add", _ => new Binary<AddFunction>());
        registry.Add("Sub", _ => new Binary<SubtractFunction>());
        registry.Add("Mul", _ => new Binary<MultiplyFunction>());
        registry.Add("Div", _ => new Binary<DivideFunction>());
    }
}
