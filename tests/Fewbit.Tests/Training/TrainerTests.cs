using Fewbit.Graphs;
using Fewbit.Models;
using Fewbit.Onnx;
using Fewbit.Tensors;
using Fewbit.Tensors.Threading;
using Fewbit.Tests.Data;
using Fewbit.Training;

namespace Fewbit.Tests.Training;

public sealed class TrainerTests : IDisposable
{
    private readonly TempFolder _folder = new();
    private readonly int _threads = Workers.ThreadCount;

    public void Dispose()
    {
        Workers.ThreadCount = _threads;
        _folder.Dispose();
    }

    [Fact]
    public async Task FitAsync_Stripes_ReachesNinetyFivePercentOnUnseenPictures()
    {
        var trainer = new Trainer(Stripes.Model(), new() { Epochs = 4, Schedule = new CosineSchedule(), Optimizer = new Sgd { LearningRate = 0.1, WeightDecay = 1e-4 } });
        var unseen = new Stripes(400, seed: 2);
        Assert.InRange(trainer.Evaluate(unseen).Top1!.Value, 0, 0.6);
        TrainingResult result = await trainer.FitAsync(new Stripes(1000, seed: 1), unseen);
        Assert.InRange(result.Epochs[^1].Validation!.Top1!.Value, 0.95, 1);
        Assert.Equal(4, result.BestEpoch);
        // What was judged is what is saved and read again.
        Graph read = OnnxFile.Load(new MemoryStream(OnnxFile.ToBytes(result.Model)));
        Assert.Equal(result.Epochs[^1].Validation, Trainer.Evaluate(read, unseen, new()));
        Assert.DoesNotContain(read.Nodes, node => node.Int("training_mode", 0) != 0);
    }

    public static TheoryData<TrainingOptions> Resumable => new()
    {
        new TrainingOptions { Schedule = new OneCycleSchedule() },
        new TrainingOptions { Optimizer = new AdamW { LearningRate = 0.01 }, AverageDecay = 0.9, Schedule = new PlateauSchedule { Patience = 0, Threshold = 0.5 }, KeepsBest = true, ClipNorm = 1 },
    };

    [Theory]
    [MemberData(nameof(Resumable))]
    public async Task FitAsync_InterruptedAndResumedOnMoreThreads_GivesTheSameBytes(TrainingOptions options)
    {
        options = options with { Epochs = 3 };
        Workers.ThreadCount = 1;
        (byte[] model, string state) = await Run(options with { CheckpointPath = _folder.Path("whole.json") });
        TrainingOptions inParts = options with { CheckpointPath = _folder.Path("parts.json"), CheckpointSteps = 3 };
        foreach (int stopAfter in (int[])[5, 8, 11])
        {
            var stop = new CancellationTokenSource();
            await Assert.ThrowsAsync<OperationCanceledException>(() => Run(inParts with { Resumes = stopAfter > 5 }, new StopAt(stopAfter, stop), stop.Token));
            Workers.ThreadCount = Workers.ThreadCount % 3 + 1;
        }
        (byte[] resumedModel, string resumedState) = await Run(inParts with { Resumes = true });
        Assert.Equal(model, resumedModel);
        Assert.Equal(state, resumedState);
    }

    [Fact]
    public async Task FitAsync_ActivationsComputedAgain_GivesTheSameModel()
    {
        (byte[] kept, _) = await Run(new() { Epochs = 1 });
        (byte[] recomputed, _) = await Run(new() { Epochs = 1, RecomputesActivations = true });
        Assert.Equal(kept, recomputed);
    }

    [Fact]
    public async Task FitAsync_ResumedWithOtherOptions_SaysWhatDiffers()
    {
        var options = new TrainingOptions { Epochs = 1, CheckpointPath = _folder.Path("state.json") };
        await Run(options);
        var problem = await Assert.ThrowsAsync<InvalidDataException>(() => Run(options with { Resumes = true, Optimizer = new Sgd { LearningRate = 0.2 } }));
        Assert.Contains("state.json: was made with other options", problem.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task FitAsync_RateFarTooHigh_NamesTheStep()
    {
        var problem = await Assert.ThrowsAsync<InvalidDataException>(() => Run(new() { Epochs = 3, Optimizer = new Sgd { LearningRate = 1e6 }, FreezesBatchNorm = true }));
        Assert.Matches("the loss is (NaN|Infinity|∞) at step [0-9]+ \\(epoch 1, learning rate 1E\\+06\\): lower the learning rate", problem.Message);
    }

    [Fact]
    public void Constructor_OutputOfNoClasses_SaysWhatIsExpected()
    {
        var problem = Assert.Throws<ArgumentException>(() => new Trainer(LinearOverThreeDimensions()));
        Assert.Contains("holds no class scores", problem.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Step_WrongBatch_NamesTheInput()
    {
        var trainer = new Trainer(Stripes.Model());
        var pictures = Tensor.Allocate(ElementType.Float32, [2, 1, 8, 8]);
        Assert.Contains("no tensor for 'target'", Assert.Throws<ArgumentException>(() => trainer.Step(new Dictionary<string, Tensor> { ["input"] = pictures })).Message, StringComparison.Ordinal);
        var unknown = new Dictionary<string, Tensor> { ["input"] = pictures, ["target"] = Tensor.From(0L, 1L), ["labels"] = Tensor.From(0L, 1L) };
        Assert.Contains("a tensor 'labels' that nothing takes", Assert.Throws<ArgumentException>(() => trainer.Step(unknown)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Step_LaterBatchLacksTheTarget_DoesNotTakeTheOneBefore()
    {
        var trainer = new Trainer(Stripes.Model());
        var pictures = Tensor.Allocate(ElementType.Float32, [2, 1, 8, 8]);
        trainer.Step(new Dictionary<string, Tensor> { ["input"] = pictures, ["target"] = Tensor.From(0L, 1L) });
        Assert.Contains("no tensor for 'target'", Assert.Throws<ArgumentException>(() => trainer.Step(new Dictionary<string, Tensor> { ["input"] = pictures })).Message, StringComparison.Ordinal);
        var unknown = new Dictionary<string, Tensor> { ["input"] = pictures, ["labels"] = Tensor.From(0L, 1L) };
        Assert.Contains("no tensor for 'target'", Assert.Throws<ArgumentException>(() => trainer.Step(unknown)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task FitAsync_EpochLongerThanTheData_IsSaidBeforeAnyStep()
    {
        var trainer = new Trainer(Stripes.Model(), new() { StepsPerEpoch = 6 });
        var problem = await Assert.ThrowsAsync<ArgumentException>(() => trainer.FitAsync(new Stripes(150, seed: 1)));
        Assert.StartsWith("150 pictures of stripes: has 5 batches, fewer than the 6 steps asked for as an epoch", problem.Message, StringComparison.Ordinal);
        Assert.Equal(0, trainer.StepCount);
    }

    [Fact]
    public async Task FitAsync_DetectingAnomalies_ChangesNothingAndNamesTheNodeOfOne()
    {
        (byte[] plain, _) = await Run(new() { Epochs = 1 });
        (byte[] watched, _) = await Run(new() { Epochs = 1, DetectsAnomalies = true });
        Assert.Equal(plain, watched);
        var problem = await Assert.ThrowsAsync<InvalidDataException>(() => Run(new() { Epochs = 3, Optimizer = new Sgd { LearningRate = 1e6 }, FreezesBatchNorm = true, DetectsAnomalies = true }));
        Assert.DoesNotContain("the loss is", problem.Message, StringComparison.Ordinal);
        Assert.Matches("^[\\w.]+ '[^']+': ", problem.Message);
    }

    [Fact]
    public void Step_LabelSmoothing_AddsTheMeanOverClasses()
    {
        IReadOnlyDictionary<string, Tensor> batch = new Stripes(32, seed: 1).Epoch(0, 0, CancellationToken.None).First();
        double plain = Loss(0), half = Loss(0.5), other = Loss(0.25);
        Assert.True(half != plain);
        // The loss is linear in the smoothing.
        Assert.Equal((plain + half) / 2, other, 1e-5);

        double Loss(double smoothing) => new Trainer(Stripes.Model(), new() { Loss = new() { LabelSmoothing = smoothing } }).Step(batch);
    }

    [Fact]
    public void Step_MixedSamples_WeighsBothTargets()
    {
        var batch = new Dictionary<string, Tensor>(new Stripes(32, seed: 1).Epoch(0, 0, CancellationToken.None).First());
        double first = new Trainer(Stripes.Model()).Step(batch);
        Tensor partners = batch[Trainer.Target].Copy();
        foreach (ref long target in partners.Span<long>()) target = 3 - target;
        double second = new Trainer(Stripes.Model()).Step(new Dictionary<string, Tensor> { ["input"] = batch["input"], [Trainer.Target] = partners });
        (batch[Trainer.SecondTarget], batch[Trainer.Share]) = (partners, Tensor.Scalar(0.3f));
        Assert.Equal(0.3 * first + 0.7 * second, new Trainer(Stripes.Model(), new() { MixesSamples = true }).Step(batch), 1e-5);
    }

    private static async Task<(byte[] Model, string State)> Run(TrainingOptions options, IProgress<TrainingProgress>? progress = null, CancellationToken cancellation = default)
    {
        TrainingResult result = await new Trainer(Stripes.Model(), options).FitAsync(new Stripes(150, seed: 1), new Stripes(40, seed: 2), progress, cancellation);
        return (OnnxFile.ToBytes(result.Model), options.CheckpointPath is { } path ? File.ReadAllText(path).Replace(Path.GetFileName(path), "", StringComparison.Ordinal) : "");
    }

    private static Graph LinearOverThreeDimensions()
    {
        var graph = new Graph("cube", opset: 20);
        Value x = graph.AddInput("x", ElementType.Float32, ["N", 2, 3, 4]);
        graph.AddOutput(x.Dense("dense", 5));
        return graph;
    }

    private sealed class StopAt(long step, CancellationTokenSource source) : IProgress<TrainingProgress>
    {
        public void Report(TrainingProgress value)
        {
            if (value.Step >= step) source.Cancel();
        }
    }
}
