using Fewbit.Formats;
using Fewbit.Graphs;
using Fewbit.Promises;
using Fewbit.Quantization;
using Fewbit.Storage;
using Fewbit.Tensors;
using Fewbit.Tests.Quantization;

namespace Fewbit.Tests.Promises;

public sealed class PromiseCheckpointTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("fewbit-promise-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public void Keep_CandidatesAndCodes_AreThereAgain()
    {
        string path = Path.Combine(_folder, "search.json");
        var fingerprint = new ArtifactFingerprint("model", "data", "options");
        Graph graph = SmallGraphs.Create(out Value input, 1, 3, 4, 4);
        input.Conv("conv", 2).Named("Relu", "relu").Conv("last", 2).Returns();
        QuantizerSites sites = QuantizerSites.Find(Preparation.Prepare(graph), new() { Weights = IntegerFormat.Parse("uint4"), KeepEdgesAt8Bits = false, QuantizeOutputs = true });
        var learned = new GivenQuantizers(
            sites.Weights.ToDictionary(site => site.Node.Name, site => new GivenWeight(Tensor.From<int>([.. Enumerable.Range(0, (int)site.Weight.Constant!.ElementCount).Select(i => i % 16)], site.Weight.Constant.Shape),
                new QuantizationParameters(site.Format, Granularity.PerChannel(site.Axis), [0.5f, 0.25f], [3, 9]))),
            sites.Activations.Take(1).ToDictionary(site => site.Value.Name, site => new QuantizationParameters(site.Format, 0.125f, 7)));
        var candidate = new PromiseCandidate("int8 per channel", 8, 1234, new(PromiseMeasure.Top1, 3, 1, 200, 0.01), 0.03, new(1, new(PromiseMeasure.Top1, 4, 4, 300, 0.02), 0.96, 0.02)) { IsKept = true, Seconds = 1.5 };

        PromiseCheckpoint first = PromiseCheckpoint.Open(path, fingerprint);
        Assert.False(first.IsResumed);
        first.Keep(candidate with { HeldOut = null }, 77, TimeSpan.FromSeconds(4));
        first.KeepLearned("alone4", learned);
        first.Keep(candidate, 77, TimeSpan.FromSeconds(9));
        // What was read and not asked for stays in the file.
        PromiseCheckpoint.Open(path, fingerprint).Keep(candidate, 77, TimeSpan.FromSeconds(9));

        PromiseCheckpoint again = PromiseCheckpoint.Open(path, fingerprint);
        Assert.True(again.IsResumed);
        Assert.Equal((candidate, 77L, 9.0), (again.Find("int8 per channel"), again.Weights, again.Time.TotalSeconds));
        Assert.Null(again.Find("other"));
        GivenQuantizers restored = again.FindLearned("alone4", sites)!;
        foreach ((string node, GivenWeight weight) in learned.Weights)
        {
            Assert.Equal(weight.Codes.Span<int>().ToArray(), restored.Weights[node].Codes.Span<int>().ToArray());
            Assert.Equal(weight.Parameters.Scales.ToArray(), restored.Weights[node].Parameters.Scales.ToArray());
            Assert.Equal(weight.Parameters.ZeroPoints.ToArray(), restored.Weights[node].Parameters.ZeroPoints.ToArray());
        }
        QuantizationParameters activation = Assert.Single(restored.Activations).Value;
        Assert.Equal((0.125f, 7), (activation.Scale, activation.ZeroPoint));
        Assert.Null(again.FindLearned("alone2", sites));
        Assert.Throws<InvalidDataException>(() => PromiseCheckpoint.Open(path, fingerprint with { Data = "other" }));
    }
}
