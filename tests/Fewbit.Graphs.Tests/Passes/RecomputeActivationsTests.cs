using Fewbit.Graphs.Execution;
using Fewbit.Graphs.Passes;
using Fewbit.Graphs.Tests.Operators;
using Fewbit.Tensors;
using Pipeline = Fewbit.Graphs.Passes.Passes;

namespace Fewbit.Graphs.Tests.Passes;

public sealed class RecomputeActivationsTests
{
    private const int Blocks = 12;
    private static readonly Shape Pictures = [2, 16, 16, 16];

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Run_DeepNetwork_GivesTheSameGradientsInLessMemory(bool prepares)
    {
        (Plan kept, string[] names) = Compile(recomputes: false, prepares);
        (Plan recomputed, _) = Compile(recomputes: true, prepares);
        foreach (string name in names) OneNode.AssertClose([.. kept.Output(name).Span<float>().ToArray().Select(x => (double)x)], recomputed.Output(name), 1e-6);
        Assert.True(recomputed.ArenaBytes < 0.75 * kept.ArenaBytes, $"{recomputed.ArenaBytes} bytes, {kept.ArenaBytes} without");
        Assert.True(recomputed.StepCount > kept.StepCount);
    }

    [Fact]
    public void Run_OneCheckpoint_ComputesWhatLiesBeforeItAgain()
    {
        var graph = new Graph(opset: 20);
        Value x = graph.AddInput("x", ElementType.Float32, [2, 3]), a = x.Apply("Sin"), b = a.Apply("Cos"), c = b.Apply("Sin"), loss = c.Apply("Exp");
        Value gradient = Gradients.Of(loss, [x])[0];
        PassReport report = new RecomputeActivations(loss) { Checkpoints = [b] }.Run(graph);
        // Cos reads Sin(x) in its gradient; what lies behind the checkpoint is kept.
        Assert.Equal([a.Producer!.Name], report.Changes.Select(change => change.Node));
        Assert.DoesNotContain(a.Uses, use => graph.IndexOf(use.Node) > graph.IndexOf(loss.Producer!));
        Plan plan = Plan.Compile(graph, new() { Inputs = new Dictionary<string, Shape> { ["x"] = [2, 3] }, Outputs = [gradient.Name] });
        Tensor point = OneNode.Numbers(1, 2, 3);
        plan.Run(new Dictionary<string, Tensor> { ["x"] = point });
        double[] expected = [.. point.Span<float>().ToArray().Select(v => Math.Exp(Math.Sin(Math.Cos(Math.Sin(v)))) * Math.Cos(Math.Cos(Math.Sin(v))) * -Math.Sin(Math.Sin(v)) * Math.Cos(v))];
        OneNode.AssertClose(expected, plan.Output(gradient.Name));
    }

    [Fact]
    public void Run_RandomNumbers_AreKept()
    {
        var graph = new Graph(opset: 20);
        Value x = graph.AddInput("x", ElementType.Float32, [2, 3]), noise = x.Apply("RandomNormalLike"), a = (x * noise).Apply("Sin"), loss = a.Apply("Cos");
        Gradients.Of(loss, [x]);
        new RecomputeActivations(loss) { Checkpoints = [a] }.Run(graph);
        Assert.Single(graph.Nodes, node => node.OpType == "RandomNormalLike");
    }

    /// <summary>Residual blocks with batch normalization: the loss and all gradients after one run.</summary>
    private static (Plan Plan, string[] Names) Compile(bool recomputes, bool prepares)
    {
        var graph = new Graph(opset: 20);
        Value x = graph.AddInput("x", ElementType.Float32, SymbolicShape.From(Pictures)), y = x;
        var learned = new List<Value>();
        Value Weight(float scale, params long[] shape)
        {
            Tensor tensor = OneNode.Numbers(learned.Count + 1, shape);
            foreach (ref float number in tensor.Span<float>()) number *= scale;
            learned.Add(graph.AddConstant("weight", tensor));
            learned[^1].IsVariable = true;
            return learned[^1];
        }
        Value Norm(Value value) => value.Apply("BatchNormalization", Weight(1, 16), Weight(1, 16), graph.AddConstant("mean", Tensor.Allocate(ElementType.Float32, [16])), graph.AddConstant("variance", OneNode.Numbers(0, 16)));
        Value Conv(Value value) => value.Apply("Conv", new Attributes { { "pads", new long[] { 1, 1, 1, 1 } } }, Weight(0.1f, 16, 16, 3, 3));
        for (int i = 0; i < Blocks; i++) y = (Norm(Conv(Norm(Conv(y)).Relu())) + y).Relu();
        Value loss = (y * y).SumToShapeOf(graph.AddConstant("scalar", Tensor.Scalar(0f))) * 1e-3f;
        new TrainBatchNorm().Run(graph);
        string[] names = [.. Gradients.Of(loss, learned).Select(value => value.Name), loss.Name];
        if (recomputes) new RecomputeActivations(loss).Run(graph);
        if (prepares) Pipeline.PrepareForTraining(graph, names);
        Plan plan = Plan.Compile(graph, new() { Inputs = new Dictionary<string, Shape> { ["x"] = Pictures }, Outputs = names });
        plan.Run(new Dictionary<string, Tensor> { ["x"] = OneNode.Numbers(99, Pictures.Dims.ToArray()) });
        return (plan, names);
    }
}
