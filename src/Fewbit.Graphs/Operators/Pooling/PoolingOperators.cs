namespace Fewbit.Graphs.Operators;

/// <summary>Pooling and its adjoints.</summary>
internal static class PoolingOperators
{
    public static void Register(OperatorRegistry registry)
    {
        registry.Add("MaxPool", MaxPool.Parse);
        registry.Add("AveragePool", AveragePool.Parse);
        registry.Add("LpPool", LpPool.Parse);
        registry.Add("GlobalAveragePool", _ => new GlobalPool(IsMaximum: false));
        registry.Add("GlobalMaxPool", _ => new GlobalPool(IsMaximum: true));
        registry.Add("GlobalLpPool", LpPool.ParseGlobal);
        registry.Add("MaxUnpool", MaxUnpool.Parse);
        registry.Add("MaxPoolScatter", node => MaxPoolRoute.Parse(node, scatters: true), OperatorTable.FewbitDomain);
        registry.Add("MaxPoolGather", node => MaxPoolRoute.Parse(node, scatters: false), OperatorTable.FewbitDomain);
        registry.Add("AveragePoolSpread", AveragePoolSpread.Parse, OperatorTable.FewbitDomain);
    }
}
