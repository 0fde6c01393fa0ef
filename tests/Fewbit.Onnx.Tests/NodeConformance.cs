using Fewbit.Testing;
using Fewbit.Testing.Conformance;

namespace Fewbit.Onnx.Tests;

/// <summary>The ONNX backend suite. expected-failures.txt names the tests that fail, and why.</summary>
public class NodeConformance
{
    private static readonly Dictionary<string, string> ExpectedFailures = File.ReadLines(Path.Combine(AppContext.BaseDirectory, "expected-failures.txt"))
        .Where(line => line.Length > 0 && line[0] != '#').Select(line => line.Split(": ", 2)).ToDictionary(parts => parts[0], parts => parts[1]);

    public static TheoryData<string> Tests => Oracles.DataRoot is null ? [] : [.. BackendTest.All().Select(test => test.Name)];

    [DataTheory("onnx-backend-tests/node")]
    [MemberData(nameof(Tests))]
    public void Run_BackendTest_GivesItsOutputs(string name)
    {
        BackendResult result = new BackendTest(name).Run();
        if (ExpectedFailures.TryGetValue(name, out string? reason))
        {
            Assert.False(result.Outcome == Outcome.Passed, $"{name} passes: take it out of expected-failures.txt ({reason})");
        }
        else
        {
            Assert.False(result.Outcome == Outcome.Failed, $"{name}: {result.Reason}");
        }
    }

    [DataFact("onnx-backend-tests/node")]
    public void ExpectedFailures_EveryName_IsATest() =>
        Assert.Subset(BackendTest.All().Select(test => test.Name).ToHashSet(), ExpectedFailures.Keys.ToHashSet());
}
