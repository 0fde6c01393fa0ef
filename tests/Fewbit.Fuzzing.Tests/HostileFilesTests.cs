using Fewbit.Fuzzing.Campaign;
using Fewbit.Fuzzing.Models;
using Xunit.Abstractions;

namespace Fewbit.Fuzzing.Tests;

/// <summary>A short campaign: no file may crash the process, hang, take memory beyond the limit, or give an unclear error.</summary>
public sealed class HostileFilesTests(ITestOutputHelper output)
{
    private const int Seed = 20260101;

    [Theory]
    [InlineData("models", 5000)]
    [InlineData("data", 3000)]
    [InlineData("weights", 3000)]
    public void Run_MutatedFiles_AreReadOrRefusedWithOneClearError(string kind, int cases)
    {
        string folder = Directory.CreateTempSubdirectory("fewbit-fuzzing").FullName;
        try
        {
            Tally tally = new Parent(kind, Seed, folder).Run(0, cases, processes: 2);
            foreach ((string outcome, long count) in tally.Counts) output.WriteLine($"{count,6} {outcome}");
            string[] findings = [.. tally.Findings.Select(finding => $"fuzzing --kind {kind} --case {finding.Number}: {finding.Detail}")];
        foreach (string finding in findings) output.WriteLine(finding);
        Assert.Empty(findings);
            Assert.Equal(cases, tally.Cases);
            Assert.True(tally.Counts.Where(pair => pair.Key.StartsWith("accepted", StringComparison.Ordinal)).Sum(pair => pair.Value) > cases / 20, "almost no case is accepted: the mutations reach nothing");
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    [Fact]
    public void Create_SameNumber_GivesTheSameFile()
    {
        string folder = Directory.CreateTempSubdirectory("fewbit-fuzzing").FullName;
        var (first, second) = (new ModelCases(Seed, folder), new ModelCases(Seed, folder));
        foreach (long number in (long[])[0, 1, 2, 3, 4, 1000]) Assert.Equal(first.Create(number).Content, second.Create(number).Content);
        Directory.Delete(folder, recursive: true);
    }

    [Fact]
    public void Seeds_Unchanged_MostlyRun()
    {
        string folder = Directory.CreateTempSubdirectory("fewbit-fuzzing").FullName;
        var cases = new ModelCases(Seed, folder);
        string[] built = [.. SeedNodes.All()];
        int ran = built.Count(line => cases.Run("model.onnx", Google.Protobuf.MessageExtensions.ToByteArray(SeedNode.Parse(line)), 1).Kind == "accepted and ran");
        Directory.Delete(folder, recursive: true);
        Assert.True(ran > built.Length * 9 / 10, $"{ran} of {built.Length} built seeds run");
    }
}
