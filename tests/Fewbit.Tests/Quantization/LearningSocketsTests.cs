using Fewbit.Formats;
using Fewbit.Graphs;
using Fewbit.Quantization;
using Fewbit.Reconstruction;

namespace Fewbit.Tests.Quantization;

public sealed class LearningSocketsTests
{
    private static ReconstructionPass[] PassesOf(RoundingMethod method, LearningOptions learning) => [.. LearnedQuantizers.MethodOf(new() { Method = method, Learning = learning }).Passes];

    [Fact]
    public void MethodOf_Sockets_ArePluggedIntoThePassThatLearnsRoundings()
    {
        LearningOptions learning = new() { UnitInput = UnitInput.RandomMix, MixProbability = 0.25, Objective = LearningObjective.OutputError, ObjectivePower = 2.4 };
        ReconstructionPass[] brecq = PassesOf(RoundingMethod.Brecq, learning), usual = PassesOf(RoundingMethod.Brecq, new());
        Assert.Equal((new RandomMixInput(0.25), new OutputError(2.4)), (brecq[0].Input, brecq[0].Objective));
        Assert.Equal((usual[1].Input, usual[1].Objective), (brecq[1].Input, brecq[1].Objective));
        Assert.Equal((new QuantizedPrefixInput(), new OutputError(2)), (usual[0].Input, usual[0].Objective));
        Assert.IsType<FullPrecisionInput>(PassesOf(RoundingMethod.QDrop, new() { UnitInput = UnitInput.FullPrecision })[0].Input);
        Assert.IsType<FullFisherError>(PassesOf(RoundingMethod.QDrop, new() { Objective = LearningObjective.FullFisher })[0].Objective);
    }

    /// <summary>Any input goes with any objective in any method: the sockets know nothing of each other.</summary>
    [Theory]
    [InlineData(RoundingMethod.AdaRound)]
    [InlineData(RoundingMethod.Brecq)]
    [InlineData(RoundingMethod.QDrop)]
    public void RunAsync_EveryPairOfPlugs_Learns(RoundingMethod method)
    {
        Graph graph = SmallGraphs.Create(out Value x, "N", 3, 8, 8);
        x.Conv("a", 4).Named("Relu", "relu").Conv("b", 4, seed: 3).Named("Relu", "relu2").Conv("c", 4, seed: 5).Named("GlobalAveragePool", "pool").Named("Flatten", "flatten").Returns();
        var losses = new HashSet<string>();
        foreach (LearningObjective objective in Enum.GetValues<LearningObjective>())
        {
            foreach (UnitInput input in Enum.GetValues<UnitInput>())
            {
                QuantizationResult result = SmallGraphs.Quantize(graph, new()
                {
                    Weights = IntegerFormat.Parse("uint2"), Activations = IntegerFormat.Parse("uint3"), KeepEdgesAt8Bits = false, KeepLastInputAt8Bits = false, Method = method, Learning = new() { Iterations = 2, Objective = objective, UnitInput = input },
                });
                losses.Add(string.Join(' ', result.Report.Units.Select(unit => unit.FirstLoss)));
                Assert.All(result.Report.Units, unit => Assert.True(double.IsFinite(unit.LastLoss)));
            }
        }
        Assert.InRange(losses.Count, 5, 9);
    }
}
