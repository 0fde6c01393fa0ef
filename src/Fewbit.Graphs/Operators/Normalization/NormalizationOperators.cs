namespace Fewbit.Graphs.Operators;

/// <summary>Normalizations.</summary>
internal static class NormalizationOperators
{
    public static void Register(OperatorRegistry registry)
    {
        registry.Add("BatchNormalization", BatchNormalization.Parse);
    }
}
