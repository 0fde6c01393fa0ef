namespace Fewbit.Graphs.Operators;

/// <summary>Normalizations.</summary>
internal static class NormalizationOperators
{
    public static void Register(OperatorRegistry registry)
    {
        registry.Add("BatchNormalization", BatchNormalization.Parse);
        registry.Add("BatchNormalizationTraining", BatchNormalizationTraining.Parse, OperatorTable.FewbitDomain);
        registry.Add("BatchNormalizationGradient", BatchNormalizationGradient.Parse, OperatorTable.FewbitDomain);
        registry.Add("InstanceNormalization", GroupNormalization.ParseInstance);
        registry.Add("GroupNormalization", GroupNormalization.Parse);
        registry.Add("LayerNormalization", node => LayerNormalization.Parse(node, isCentred: true));
        registry.Add("RMSNormalization", node => LayerNormalization.Parse(node, isCentred: false));
        registry.Add("LayerNormalizationGradient", LayerNormalizationGradient.Parse, OperatorTable.FewbitDomain);
        registry.Add("LRN", LocalResponseNormalization.Parse);
        registry.Add("MeanVarianceNormalization", AxisNormalization.ParseMeanVariance);
        registry.Add("LpNormalization", AxisNormalization.ParseLp);
    }
}
