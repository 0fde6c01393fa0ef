namespace Fewbit.Graphs.Operators.Reductions;

/// <summary>Sums, means, extrema and norms over dimensions, and the functions that divide by them.</summary>
internal static class ReductionOperators
{
    public static void Register(OperatorRegistry registry)
    {
        registry.Add("SumToShapeOf", _ => new SumToShapeOf(), OperatorTable.FewbitDomain);
    }
}
