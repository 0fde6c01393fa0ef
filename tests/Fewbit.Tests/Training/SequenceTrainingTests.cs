using Fewbit.Graphs;
using Fewbit.Graphs.Execution;
using Fewbit.Models;
using Fewbit.Tensors;
using Fewbit.Tensors.Threading;
using Fewbit.Testing;
using Fewbit.Training;

namespace Fewbit.Tests.Training;

/// <summary>Training steps of small language models: tokens [N, T] to scores [N, T, V], targets [N, T].</summary>
public sealed class SequenceTrainingTests : IDisposable
{
    private const int Batch = 3, Tokens = 20, Vocabulary = 37;
    private readonly int _threads = Workers.ThreadCount;

    public void Dispose() => Workers.ThreadCount = _threads;

    [Theory]
    [InlineData("lstm")]
    [InlineData("transformer")]
    public void Run_AfterWarmUp_AllocatesNothing(string name)
    {
        var training = new TrainingGraph(Model(name), Options);
        Plan plan = Plan.Compile(training.Graph, new()
        {
            Inputs = training.Graph.Inputs.ToDictionary(input => input.Name, input => training.IsStep(input) ? input.Shape!.ToShape() : new Shape(Batch, Tokens)),
            Outputs = [training.LossName],
            Updates = training.Updates,
        });
        // Memory of a plan is not cleared: what lies there may be no token.
        foreach (Value input in training.Graph.Inputs)
        {
            if (training.IsStep(input)) plan.Input(input.Name).Span<float>().Fill(0.1f);
            else plan.Input(input.Name).Bytes.Clear();
        }
        // On one thread all chunks run here, where allocations are counted.
        Workers.ThreadCount = 1;
        Assert.Equal(0, Allocations.LeastOf(() => plan.Run()));
    }

    [Theory]
    [InlineData("lstm")]
    [InlineData("transformer")]
    public void Step_OtherThreadCount_GivesTheSameBytesAndLearns(string name)
    {
        (List<double> losses, byte[] weights) = Train(name, threads: 1);
        (List<double> others, byte[] otherWeights) = Train(name, threads: 3);
        Assert.Equal(losses, others);
        Assert.Equal(weights, otherWeights);
        Assert.InRange(losses[^1], 0, losses[0] / 2);
    }

    private static TrainingOptions Options => new() { Optimizer = new AdamW { LearningRate = 0.01 }, ClipNorm = 1 };

    /// <summary>Forty steps on one batch.</summary>
    private static (List<double> Losses, byte[] Weights) Train(string name, int threads)
    {
        Workers.ThreadCount = threads;
        var trainer = new Trainer(Model(name), Options);
        var random = new SeededRandom(5);
        Tensor ids = Numbers(ref random), next = Numbers(ref random);
        var batch = new Dictionary<string, Tensor> { ["ids"] = ids, [Trainer.Target] = next };
        var losses = new List<double>();
        for (int i = 0; i < 40; i++) losses.Add(trainer.Step(batch));
        return (losses, [.. trainer.Model().Constants.Where(constant => constant.Type == ElementType.Float32).SelectMany(constant => constant.Constant!.Bytes.ToArray())]);
    }

    private static Tensor Numbers(ref SeededRandom random)
    {
        Tensor tensor = Tensor.Allocate(ElementType.Int64, [Batch, Tokens]);
        foreach (ref long token in tensor.Span<long>()) token = random.NextInt(Vocabulary);
        return tensor;
    }

    private static Graph Model(string name)
    {
        var graph = new Graph(opset: 20);
        Value ids = graph.AddInput("ids", ElementType.Int64, ["N", Tokens]);
        Value scores = name == "lstm" ? LstmLanguageModel.Build(ids, Vocabulary, 2, 21, isTied: true) : Transformer.BuildText(ids, Vocabulary, new(2, 24, 3), isCausal: true);
        scores.Returns("scores");
        WeightInitialization.Apply(graph, 1);
        return graph;
    }
}
