using Fewbit.Testing;
using Fewbit.Testing.Conformance;

namespace Fewbit.Onnx.Tests;

/// <summary>The ONNX backend suite: a test in scope must pass where each operator of it passes some test.</summary>
public class NodeConformance
{
    public static TheoryData<string> Tests => [.. BackendTest.All().Select(test => test.Name)];

    [SuiteTheory]
    [MemberData(nameof(Tests))]
    public void Run_BackendTest_GivesItsOutputs(string name)
    {
        BackendResult result = SuiteResults.Current[name];
        Assert.False(result.Outcome != Outcome.Passed && SuiteResults.Current.IsCovered(result), $"{name}: {result.Reason}");
    }

    [Fact]
    public void IsCovered_FailedTest_CountsWhereItsOperatorsPassElsewhere()
    {
        var results = new SuiteResults(
        [
            new("a", Group.InScope, Outcome.Passed, ["Add", "Neg"], ""),
            new("b", Group.InScope, Outcome.Failed, ["Add"], "differs"),
            new("c", Group.InScope, Outcome.Unsupported, ["Add", "Loop"], "Loop is not supported"),
            new("d", Group.Newer, Outcome.Failed, ["Add"], "opset 27; differs"),
        ]);
        Assert.Equal(["a", "b"], results.All.Where(results.IsCovered).Select(result => result.Name));
        string page = ConformancePage.Write(results);
        Assert.Contains("| in scope (opset 7 to 26) | 3 | 1 | 1 | 1 | 33.3 % |", page, StringComparison.Ordinal);
        Assert.Contains("| Loop | 0 | 0 | 1 | not covered: Loop is not supported |", page, StringComparison.Ordinal);
        Assert.Contains("| d | newer | opset 27; differs |", page, StringComparison.Ordinal);
    }
}

/// <summary>A theory over the ONNX backend suite; skipped, with the reason, where no test of it is there.</summary>
public sealed class SuiteTheoryAttribute : TheoryAttribute
{
    public SuiteTheoryAttribute() =>
        Skip = Oracles.Required || BackendTest.All().Any() ? null : $"needs {BackendTest.Suite}: set FEWBIT_DATA to a folder that holds it";
}
