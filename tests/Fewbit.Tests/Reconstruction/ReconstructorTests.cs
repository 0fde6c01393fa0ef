using Fewbit.Formats;
using Fewbit.Graphs;
using Fewbit.Quantization;
using Fewbit.Reconstruction;
using Fewbit.Tensors;
using Fewbit.Testing;
using Fewbit.Tensors.Threading;
using static Fewbit.Tests.Reconstruction.SmallNetwork;

namespace Fewbit.Tests.Reconstruction;

public sealed class ReconstructorTests
{
    [Fact]
    public void Run_NoIterations_KeepsTheNearestCodes()
    {
        Reconstructor reconstructor = Done(ReconstructionMethod.Nearest(ReconstructionMethod.QDrop()), 3, 4);
        foreach (WeightSite site in reconstructor.State.Sites.Weights)
        {
            Tensor nearest = AffineQuantizer.Quantize(site.Weight.Constant!, reconstructor.State.GridOf(site));
            Assert.Equal(AffineQuantizer.Unpack(nearest), reconstructor.State.Codes[site.Node.Name].Span<int>().ToArray());
        }
        Assert.Equal(reconstructor.State.Sites.Activations.Count, reconstructor.State.Activations.Count);
    }

    [Theory]
    [InlineData("adaround")]
    [InlineData("brecq")]
    [InlineData("qdrop")]
    public void Run_TwoBitWeights_LowersTheErrorOfTheNetworkBelowNearest(string name)
    {
        ReconstructionMethod method = Small(name switch { "adaround" => ReconstructionMethod.AdaRound(300), "brecq" => ReconstructionMethod.Brecq(300), _ => ReconstructionMethod.QDrop(300) });
        int activations = name == "qdrop" ? 4 : 0;
        (double nearest, double learned) = (ErrorOf(Done(ReconstructionMethod.Nearest(method), 2, activations), 5), ErrorOf(Done(method, 2, activations), 5));
        Assert.True(learned < 0.7 * nearest, $"calibration: {learned} against {nearest}");
        (nearest, learned) = (ErrorOf(Done(ReconstructionMethod.Nearest(method), 2, activations), 77), ErrorOf(Done(method, 2, activations), 77));
        Assert.True(learned < nearest, $"other pictures: {learned} against {nearest}");
    }

    [Fact]
    public void Run_AdaRound_MovesEveryCodeByAtMostOneFromTheFloor()
    {
        Reconstructor reconstructor = Done(Small(ReconstructionMethod.QDrop(100)), 2, 4);
        foreach (WeightSite site in reconstructor.State.Sites.Weights)
        {
            QuantizationParameters grid = reconstructor.State.GridOf(site);
            int[] codes = reconstructor.State.Codes[site.Node.Name].Span<int>().ToArray();
            foreach ((int channel, int start, int length) in AffineQuantizer.Runs(site.Weight.Constant!.Shape, grid))
            {
                for (int i = start; i < start + length; i++)
                {
                    int floor = (int)MathF.Floor(site.Weight.Constant.Span<float>()[i] / grid.Scales[channel]) + grid.ZeroPoints[channel];
                    Assert.Contains(codes[i], (int[])[Math.Clamp(floor, grid.Format.Min, grid.Format.Max), Math.Clamp(floor + 1, grid.Format.Min, grid.Format.Max)]);
                }
            }
        }
    }

    [Fact]
    public void Run_BrecqOnSingleLayers_IsAdaRoundWithTheSameSchedule()
    {
        ReconstructionMethod adaRound = Small(ReconstructionMethod.AdaRound(30)), brecq = Small(ReconstructionMethod.Brecq(30)) with { Granularity = UnitGranularity.Layers };
        Assert.Equal(CodesAfter(brecq), CodesAfter(adaRound with { Passes = [.. adaRound.Passes.Select(pass => pass with { Schedule = BetaSchedule.Linear })] }));
    }

    [Fact]
    public void Run_FixedBatchWithAReshape_ReconstructsTheLayersBeforeIt()
    {
        var graph = new Graph();
        var random = new SeededRandom(3);
        Value x = graph.AddInput("x", ElementType.Float32, [1, 3, 8, 8]);
        for (int i = 0; i < 2; i++) x = x.Apply("Conv", new Attributes { { "pads", (long[])[1, 1, 1, 1] } }, graph.AddConstant("w", Normal([16, i == 0 ? 3 : 16, 3, 3], 0.1, ref random))).Relu();
        x.GlobalAveragePool().Reshape(1, 16).MatMul(graph.AddConstant("w", Normal([16, 5], 0.3, ref random))).Returns("y");
        Reconstructor reconstructor = Reconstructor(Small(ReconstructionMethod.QDrop(5)), 2, 4, prepared: Preparation.Prepare(graph));
        reconstructor.Run(Inputs());
        Assert.Equal(3, reconstructor.Reports.Count);
    }

    [Fact]
    public void Run_QDropAlwaysQuantizing_IsLearningOnTheQuantizedPrefix()
    {
        ReconstructionMethod always = Small(ReconstructionMethod.QDrop(30, probability: 1));
        Reconstructor one = Done(always, 2, 4), other = Done(always with { Passes = [always.Passes[0] with { Input = new QuantizedPrefixInput() }] }, 2, 4);
        Assert.Equal(Codes(other), Codes(one));
        Assert.Equal(Steps(other), Steps(one));
    }

    [Fact]
    public void Run_QDropNeverQuantizing_LearnsWeightsOnFloatActivations()
    {
        ReconstructionMethod never = Small(ReconstructionMethod.QDrop(30, probability: 0));
        Reconstructor one = Done(never, 2, 4), other = Done(never with { Passes = [never.Passes[0] with { Input = new FullPrecisionInput(), QuantizesActivations = false, StepRate = 0 }] }, 2, 4);
        Assert.Equal(Codes(other), Codes(one));
    }

    [Fact]
    public void Run_DiagonalFisherWithGradientsOfOne_IsTheSquaredError()
    {
        // The gradients of the last unit's output are 1 by definition; with one unit only the objectives must agree.
        var graph = new Graph();
        var random = new SeededRandom(2);
        graph.AddInput("x", ElementType.Float32, [Dim.Unknown, 12]).MatMul(graph.AddConstant("w", Normal([12, 6], 0.5, ref random))).Returns("y");
        Graph prepared = Preparation.Prepare(graph);
        var samples = new Dictionary<string, Tensor> { ["x"] = Normal([64, 12], 1, ref random) };
        int[] CodesWith(IObjective objective)
        {
            ReconstructionPass pass = ReconstructionMethod.Brecq(80).Passes[0] with { Objective = objective, SkipsFirst = false };
            Reconstructor reconstructor = (ReconstructionMethod.Brecq() with { Passes = [pass] }).CreateReconstructor(prepared, QuantizerSites.Find(prepared, Options(2) with { KeepEdgesAt8Bits = false }), new());
            reconstructor.Run(samples);
            return Codes(reconstructor);
        }
        Assert.Equal(CodesWith(new OutputError()), CodesWith(new DiagonalFisherError()));
    }

    [Fact]
    public void Run_FisherObjectives_LowerTheErrorToo()
    {
        double nearest = ErrorOf(Done(ReconstructionMethod.Nearest(ReconstructionMethod.Brecq())), 5);
        foreach (IObjective objective in (IObjective[])[new DiagonalFisherError(), new FullFisherError()])
        {
            ReconstructionMethod method = Small(ReconstructionMethod.Brecq(200));
            double learned = ErrorOf(Done(method with { Passes = [method.Passes[0] with { Objective = objective }] }), 5);
            Assert.True(learned < nearest, $"{objective}: {learned} against {nearest}");
        }
    }

    [Fact]
    public void Run_FisherObjectiveWithoutClassScores_IsAnErrorThatSaysSo()
    {
        var graph = new Graph();
        var random = new SeededRandom(2);
        graph.AddInput("x", ElementType.Float32, [Dim.Unknown, 4, 12]).MatMul(graph.AddConstant("w", Normal([12, 6], 0.5, ref random))).Returns("y");
        ReconstructionMethod method = ReconstructionMethod.Brecq(5);
        Reconstructor reconstructor = Reconstructor(method with { Passes = [method.Passes[0] with { Objective = new DiagonalFisherError(), SkipsFirst = false }] }, prepared: Preparation.Prepare(graph));
        string message = Assert.Throws<ArgumentException>(() => reconstructor.Run(new Dictionary<string, Tensor> { ["x"] = Normal([64, 4, 12], 1, ref random) })).Message;
        Assert.Contains("Fisher weights need one output of class scores", message, StringComparison.Ordinal);
    }

    [Fact]
    public void Run_ActivationSteps_LowerTheErrorOfTheirPass()
    {
        // Every step draws all samples, so that losses can be compared.
        ReconstructionMethod method = ReconstructionMethod.Brecq(0, 150);
        Reconstructor reconstructor = Done(method with { Passes = [.. method.Passes.Select(pass => pass with { BatchSize = Samples })] }, 4, 2);
        UnitReport[] steps = [.. reconstructor.Reports.Where(report => report.Pass == "activations")];
        Assert.NotEmpty(steps);
        Assert.All(steps, report => Assert.True(report.LastLoss < report.FirstLoss, report.ToString()));
        Assert.NotEqual(Steps(Done(ReconstructionMethod.Nearest(ReconstructionMethod.Brecq()), 4, 2)), Steps(reconstructor));
    }

    [Fact]
    public void Run_TwoThreads_GivesTheSameBytes()
    {
        int before = Workers.ThreadCount;
        try
        {
            Workers.ThreadCount = 1;
            Reconstructor one = Done(Small(ReconstructionMethod.QDrop(20)), 2, 4);
            Workers.ThreadCount = 2;
            Reconstructor two = Done(Small(ReconstructionMethod.QDrop(20)), 2, 4);
            Assert.Equal(Codes(one), Codes(two));
            Assert.Equal(Steps(one), Steps(two));
        }
        finally
        {
            Workers.ThreadCount = before;
        }
    }

    [Theory]
    [InlineData(7)]
    [InlineData(41)]
    [InlineData(75)]
    public void Run_StoppedAndContinued_GivesTheSameBytes(int stopAfter)
    {
        ReconstructionMethod method = Small(ReconstructionMethod.QDrop(30));
        Reconstructor whole = Done(method, 2, 4);
        string path = Path.Combine(Directory.CreateTempSubdirectory("fewbit-test").FullName, "run.checkpoint");
        try
        {
            using var stop = new CancellationTokenSource();
            int steps = 0;
            Reconstructor stopped = Reconstructor(method, 2, 4, new() { Checkpoint = path, StepTaken = () => { if (++steps == stopAfter) stop.Cancel(); } });
            Assert.Throws<OperationCanceledException>(() => stopped.Run(Inputs(), null, stop.Token));
            Reconstructor continued = Done(method, 2, 4, new() { Checkpoint = path });
            Assert.Equal(Codes(whole), Codes(continued));
            Assert.Equal(Steps(whole), Steps(continued));
            Assert.Equal(whole.Reports.Select(report => (report.Unit, report.Iterations, report.LastLoss)), continued.Reports.Select(report => (report.Unit, report.Iterations, report.LastLoss)));
        }
        finally
        {
            Directory.Delete(Path.GetDirectoryName(path)!, recursive: true);
        }
    }

    [Fact]
    public void Run_Cancelled_StopsBeforeItFitsRanges()
    {
        Reconstructor stopped = Reconstructor(ReconstructionMethod.QDrop(1), 2, 4);
        Assert.Throws<OperationCanceledException>(() => stopped.Run(Inputs(), null, new(canceled: true)));
        Assert.Empty(stopped.State.Activations);
    }

    [Theory]
    [InlineData(null, 0.01)]
    [InlineData(0.1, 0.1)]
    public void MethodOf_RoundingWeight_IsThatOfEachPass(double? stated, double expected)
    {
        foreach (RoundingMethod method in (RoundingMethod[])[RoundingMethod.AdaRound, RoundingMethod.Brecq, RoundingMethod.QDrop])
            Assert.All(LearnedQuantizers.MethodOf(new() { Method = method, Learning = new() { RoundingWeight = stated } }).Passes, pass => Assert.Equal(expected, pass.RoundingWeight));
    }

    [Fact]
    public void MethodOf_RatesBatchAndDropping_AreThoseOfThePassesTheyAreFor()
    {
        LearningOptions learning = new() { BatchSize = 7, RoundingRate = 0.5, ScaleRate = 0.25, DropProbability = 0.2 };
        ReconstructionPass[] brecq = [.. LearnedQuantizers.MethodOf(new() { Method = RoundingMethod.Brecq, Learning = learning }).Passes];
        Assert.All(brecq, pass => Assert.Equal((7, 0.5), (pass.BatchSize, pass.RoundingRate)));
        // The first pass learns no scales, whatever their rate.
        Assert.Equal([0, 0.25], brecq.Select(pass => pass.StepRate));
        ReconstructionPass qdrop = LearnedQuantizers.MethodOf(new() { Method = RoundingMethod.QDrop, Learning = learning }).Passes.Single();
        Assert.Equal((0.25, 0.8), (qdrop.StepRate, qdrop.QuantizationProbability));
        Assert.Equal(new RandomMixInput(0.8), qdrop.Input);
        ReconstructionPass usual = LearnedQuantizers.MethodOf(new() { Method = RoundingMethod.QDrop }).Passes.Single();
        Assert.Equal((32, 1e-3, 4e-5, 0.5), (usual.BatchSize, usual.RoundingRate, usual.StepRate, usual.QuantizationProbability));
        Assert.Throws<ArgumentOutOfRangeException>(() => new LearningOptions { DropProbability = 1.1 });
        Assert.Throws<ArgumentOutOfRangeException>(() => new LearningOptions { BatchSize = 0 });
    }

    [Fact]
    public void Run_CheckpointOfOtherOptions_IsAnErrorThatSaysSo()
    {
        string path = Path.Combine(Directory.CreateTempSubdirectory("fewbit-test").FullName, "run.checkpoint");
        try
        {
            Done(Small(ReconstructionMethod.Brecq(3)), limits: new() { Checkpoint = path });
            var problem = Assert.Throws<InvalidDataException>(() => Done(Small(ReconstructionMethod.Brecq(4)), limits: new() { Checkpoint = path }));
            Assert.Contains("other options", problem.Message, StringComparison.Ordinal);
        }
        finally
        {
            Directory.Delete(Path.GetDirectoryName(path)!, recursive: true);
        }
    }

    [Fact]
    public void Run_NoMemoryForFeatures_SpillsToFilesAndGivesTheSameBytes() =>
        Assert.Equal(CodesAfter(Small(ReconstructionMethod.QDrop(20)), 2, 4), CodesAfter(Small(ReconstructionMethod.QDrop(20)), 2, 4, new() { FeatureBytes = 0 }));

    [Fact]
    public void Run_TimeBudgetOfNothing_StopsEachUnitAfterAFewSteps() =>
        Assert.All(Done(Small(ReconstructionMethod.Brecq(5000)), limits: new() { TimeBudget = TimeSpan.FromMilliseconds(1) }).Reports, report => Assert.InRange(report.Iterations, 1, 20));

    [Fact]
    public void Run_Progress_EndsEachUnitWithItsLastStep()
    {
        var reports = new List<ReconstructionProgress>();
        Reconstructor(Small(ReconstructionMethod.Brecq(5))).Run(Inputs(), new Collected(reports));
        Assert.Equal([(0, 2, 5), (1, 2, 5)], reports.Where(report => report.Iteration == report.Iterations).Select(report => (report.UnitIndex, report.UnitCount, report.Iteration)));
        Assert.All(reports, report => Assert.True(report.StepsPerSecond > 0 && double.IsFinite(report.Loss)));
    }

    [Fact]
    public void Step_AfterWarmUp_AllocatesNothing()
    {
        long least = long.MaxValue;
        Done(Small(ReconstructionMethod.QDrop(1)), 2, 4, new() { StepObserver = (_, _, step) => least = Math.Min(least, Allocations.LeastOf(() => step(900))) });
        Assert.Equal(0, least);
    }

    [Fact]
    public void Run_FewerSamplesThanABatchWithoutRepeats_IsAnErrorThatSaysSo()
    {
        var problem = Assert.Throws<ArgumentException>(() => Reconstructor(ReconstructionMethod.Brecq(5)).Run(Inputs(samples: 8)));
        Assert.Contains("8 samples", problem.Message, StringComparison.Ordinal);
        Assert.Contains("32", problem.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Regularizer_AfterWarmUp_FallsFromFirstToLastBeta()
    {
        ReconstructionPass linear = ReconstructionMethod.Brecq(1000).Passes[0], cosine = linear with { Schedule = BetaSchedule.Cosine };
        Assert.Equal((20f, 0f), linear.Regularizer(198, 1000));
        Assert.Equal((20f, 0.01f), linear.Regularizer(199, 1000));
        Assert.Equal((11f, 0.01f), linear.Regularizer(599, 1000));
        Assert.Equal((11f, 0.01f), cosine.Regularizer(599, 1000));
        Assert.Equal((2f, 0.01f), linear.Regularizer(999, 1000));
        Assert.Equal(2 + 9 * (1 + Math.Cos(Math.PI / 4)), cosine.Regularizer(399, 1000).Beta, 1e-5);
    }

    private sealed class Collected(List<ReconstructionProgress> reports) : IProgress<ReconstructionProgress>
    {
        public void Report(ReconstructionProgress value) => reports.Add(value);
    }
}
