namespace Fewbit.Graphs.Operators.Movement;

/// <summary>Operators that move, select or count elements, and compute none.</summary>
internal static class MovementOperators
{
    public static void Register(OperatorRegistry registry)
    {
        registry.Add("Identity", _ => new Identity());
        registry.Add("Shape", ShapeOf.Parse);
        registry.Add("Reshape", Reshape.Parse);
        registry.Add("Expand", _ => new Expand());
    }
}
