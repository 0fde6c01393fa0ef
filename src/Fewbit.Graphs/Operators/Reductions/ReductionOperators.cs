namespace Fewbit.Graphs.Operators.Reductions;

/// <summary>Sums, means, extrema and norms over dimensions, and the functions that divide by them.</summary>
internal static class ReductionOperators
{
    public static void Register(OperatorRegistry registry)
    {
        foreach (Reduction kind in Enum.GetValues<Reduction>()) registry.Add($"Reduce{kind}", Reduce.Parser(kind));
        registry.Add("Softmax", Softmax.Parse);
        registry.Add("PacketMean", PacketMean.Parse, OperatorTable.FewbitDomain);
        registry.Add("LogSoftmax", Softmax.Parse);
        registry.Add("SoftmaxGradient", SoftmaxGradient.Parse, OperatorTable.FewbitDomain);
        registry.Add("Hardmax", Hardmax.Parse);
        registry.Add("ArgMax", ArgExtremum.Parse);
        registry.Add("ArgMin", ArgExtremum.Parse);
        registry.Add("TopK", TopK.Parse);
        registry.Add("CumSum", Cumulative.Parse);
        registry.Add("CumProd", Cumulative.Parse);
        registry.Add("Det", _ => new Determinant());
        registry.Add("Einsum", Einsum.Parse);
        registry.Add("SumToShapeOf", _ => new SumToShapeOf(), OperatorTable.FewbitDomain);
    }
}
