using Fewbit.Graphs.Execution;
using Fewbit.Tensors;

namespace Fewbit.Graphs.Tests;

public sealed class PlanTests
{
    private static (Graph Graph, Value X, Value W, Value Y) Formula()
    {
        var graph = new Graph();
        Value x = graph.AddInput("x", ElementType.Float32, ["N", 3]);
        Value w = graph.AddConstant("w", Tensor.From(1f, 2f, 3f));
        Value y = (x * w + x) / 2f;
        graph.AddOutput(y);
        return (graph, x, w, y);
    }

    [Fact]
    public void Run_PlanAndInterpreter_Agree()
    {
        (Graph graph, _, _, Value y) = Formula();
        var inputs = new Dictionary<string, Tensor> { ["x"] = Tensor.From<float>([1, 2, 3, 4, 5, 6], [2, 3]) };
        Plan plan = Plan.Compile(graph, new() { Inputs = new Dictionary<string, Shape> { ["x"] = [2, 3] } });
        plan.Run(inputs);
        Assert.Equal([1f, 3f, 6f, 4f, 7.5f, 12f], plan.Output(y.Name).Span<float>().ToArray());
        Assert.Equal(plan.Output(y.Name).Span<float>().ToArray(), new Interpreter().Run(graph, inputs)[0].Span<float>().ToArray());
    }

    [Fact]
    public void Compile_ChainOfElementwise_SharesOneBuffer()
    {
        var graph = new Graph();
        Value x = graph.AddInput("x", ElementType.Float32, [1024]), y = x + 1f;
        for (int i = 0; i < 10; i++) y += 1f;
        graph.AddOutput(y);
        Plan plan = Plan.Compile(graph, new() { Inputs = new Dictionary<string, Shape> { ["x"] = [1024] } });
        Assert.Equal(2 * 4096, plan.ArenaBytes);
    }

    [Fact]
    public void Compile_ThousandsOfNodes_KeepsLivingValuesApart()
    {
        const int Count = 3000;
        var graph = new Graph();
        var random = new Random(1);
        Value x = graph.AddInput("x", ElementType.Float32, [4, 5]), scalar = graph.AddConstant("half", Tensor.Scalar(0.5f));
        var values = new List<Value> { x };
        // Each reads its neighbour and one far away, so that many live at once, of two sizes.
        for (int i = 1; i < Count; i++)
        {
            Value next = (values[^1] + values[Math.Max(0, i - random.Next(1, 300))]) * scalar;
            values.Add(i % 7 == 0 ? next.Apply("Concat", new Attributes { { "axis", 0 } }, x).Slice(0, 1, 5) : next);
        }
        graph.AddOutput(values[^1]);
        var inputs = new Dictionary<string, Tensor> { ["x"] = Operators.OneNode.Numbers(1, 4, 5) };
        Plan plan = Plan.Compile(graph, new() { Inputs = new Dictionary<string, Shape> { ["x"] = [4, 5] } });
        plan.Run(inputs);
        Assert.Equal(new Interpreter().Run(graph, inputs)[0].Span<float>().ToArray(), plan.Output(values[^1].Name).Span<float>().ToArray());
        Assert.True(plan.ArenaBytes < 400 * 256, $"{plan.ArenaBytes} bytes");
    }

    [Fact]
    public void Infer_SymbolicBatch_KeepsSymbol()
    {
        (_, _, _, Value y) = Formula();
        Assert.Equal("[N, 3]", y.Shape!.ToString());
        Assert.Equal("[N, 1, 3]", y.Apply("Reshape", y.Graph.AddConstant("shape", Tensor.From(0L, 1L, -1L))).Shape!.ToString());
    }

    [Fact]
    public void Run_WrongShape_NamesInput()
    {
        using var runner = new GraphRunner(Formula().Graph);
        string message = Assert.Throws<ArgumentException>(() => runner.Run(new Dictionary<string, Tensor> { ["x"] = Tensor.From(1f, 2f) })).Message;
        Assert.StartsWith("input 'x' float32 [N, 3] is given float32 [2]", message, StringComparison.Ordinal);
    }

    [Fact]
    public void Gradients_OfBroadcastProduct_MatchHandComputation()
    {
        (Graph graph, Value x, Value w, Value y) = Formula();
        w.IsVariable = true;
        Value seed = graph.AddInput("seed", ElementType.Float32, ["N", 3]);
        Value[] gradients = Gradients.Of(y, [x, w], seed);
        Plan plan = Plan.Compile(graph, new()
        {
            Inputs = new Dictionary<string, Shape> { ["x"] = [2, 3], ["seed"] = [2, 3] },
            Outputs = [gradients[0].Name, gradients[1].Name],
        });
        plan.Run(new Dictionary<string, Tensor> { ["x"] = Tensor.From<float>([1, 2, 3, 4, 5, 6], [2, 3]), ["seed"] = Tensor.From<float>([2, 2, 2, 2, 2, 2], [2, 3]) });
        Assert.Equal([2f, 3f, 4f, 2f, 3f, 4f], plan.Output(gradients[0].Name).Span<float>().ToArray());
        Assert.Equal([5f, 7f, 9f], plan.Output(gradients[1].Name).Span<float>().ToArray());
    }

    [Fact]
    public void Sort_Cycle_NamesNode()
    {
        var graph = new Graph();
        Value x = graph.AddInput("x", ElementType.Float32, [1]);
        Node first = x.Apply("Identity").Producer!;
        Node second = first.Outputs[0].Apply("Identity").Producer!;
        first.SetInput(0, second.Outputs[0]);
        Assert.StartsWith("Identity 'Identity'", Assert.Throws<InvalidDataException>(graph.Sort).Message, StringComparison.Ordinal);
    }
}
