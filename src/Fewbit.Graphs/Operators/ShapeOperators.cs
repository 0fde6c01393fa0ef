namespace Fewbit.Graphs.Operators;

/// <summary>Operators on shapes: they move or name elements, and compute none.</summary>
internal static class ShapeOperators
{
    public static void Register(OperatorRegistry registry)
    {
        registry.Add("Identity", _ => new Identity());
        registry.Add("Shape", ShapeOf.Parse);
        registry.Add("Reshape", Reshape.Parse);
        registry.Add("SumToShapeOf", _ => new SumToShapeOf(), OperatorTable.FewbitDomain);
    }
}
