namespace Fewbit.Graphs.Tests.Differentiation;

public sealed class GradientCaseTests
{
    /// <summary>Names of the cases; a name that comes again has its number behind it.</summary>
    public static TheoryData<string> Names => [.. Cases.Keys];

    private static Dictionary<string, GradientCase> Cases { get; } = GradientCases.All.Index().ToDictionary(pair => $"{pair.Index:000} {pair.Item.Name}", pair => pair.Item);

    [Theory]
    [MemberData(nameof(Names))]
    public void Gradient_OfOperator_MatchesFiniteDifferences(string name) => GradientCheck.Run(Cases[name]);
}
