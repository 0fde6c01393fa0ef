using Fewbit.Graphs.Execution;
using Fewbit.Tensors;
using static Fewbit.Graphs.Tests.Control.ControlRun;

namespace Fewbit.Graphs.Tests.Control;

public class LoopTests
{
    [Fact]
    public void Run_StateCapturedValueAndScanOutput_FollowsTheSpecification()
    {
        (Graph graph, Value x, Graph body) = Start([2]);
        Value state = body.AddInput("state", ElementType.Float32, [2]);
        Value sum = body.Node("Add", state, x);
        body.AddOutput(sum);
        body.AddOutput(body.Node("Neg", sum));
        Node loop = AddLoop(graph, body, Trip(graph, 3), null, [x], outputs: 2);
        // The next node may take the memory of x once the loop is over.
        graph.AddOutput(graph.Node("Relu", loop.Outputs[0]));
        graph.AddOutput(loop.Outputs[1]);
        Tensor[] results = All(graph, ("x", Tensor.From<float>(1, 2)));
        Assert.Equal([4, 8], Floats(results[0]));
        Assert.Equal("float32 [3, 2]", results[1].ToString());
        Assert.Equal([-2, -4, -3, -6, -4, -8], Floats(results[1]));
        Assert.Equal([3, 2], loop.Outputs[1].Shape!);
    }

    [Fact]
    public void Run_StateThatGrows_IsKnownByItsRank()
    {
        (Graph graph, Value x, Graph body) = Start([1]);
        Value state = body.AddInput("state", ElementType.Float32, [1]);
        body.AddOutput(body.AddNode("Concat", [state, x], new() { { "axis", 0 } }).Outputs[0]);
        Node loop = AddLoop(graph, body, Trip(graph, 9), null, [x]);
        graph.AddOutput(graph.Node("Neg", loop.Outputs[0]));
        Assert.Equal(Enumerable.Repeat(-5f, 10), Floats(All(graph, ("x", Tensor.From(5f)))[0]));
        Assert.Equal(SymbolicShape.OfRank(1), loop.Outputs[0].Shape);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(-3)]
    public void Run_NoIteration_ReturnsTheInitialStateAndNoSlices(long trips)
    {
        (Graph graph, Value x, Graph body) = Start([2]);
        Value state = body.AddInput("state", ElementType.Float32, [2]);
        body.AddOutput(body.Node("Neg", state));
        body.AddOutput(body.Node("Neg", state));
        Node loop = AddLoop(graph, body, Trip(graph, trips), null, [graph.Node("Neg", x)], outputs: 2);
        graph.AddOutput(graph.Node("Neg", loop.Outputs[0]));
        graph.AddOutput(loop.Outputs[1]);
        Tensor[] results = All(graph, ("x", Tensor.From<float>(1, 2)));
        Assert.Equal([1, 2], Floats(results[0]));
        Assert.Equal("float32 [0, 2]", results[1].ToString());
    }

    [Theory]
    [InlineData(false, true, 5)] // while: as long as the state is below 5
    [InlineData(true, true, 3)] // at most 3 times
    [InlineData(true, false, 3)] // a trip count alone: what the body returns as condition does not count
    [InlineData(false, false, 5)]
    public void Run_TripCountAndCondition_EndTheLoop(bool hasTripCount, bool hasCondition, float expected)
    {
        (Graph graph, Value x, _) = Start([1]);
        var body = new Graph("body", parent: graph);
        body.AddInput("iteration", ElementType.Int64, []);
        body.AddInput("condition", ElementType.Bool, []);
        Value state = body.AddInput("state", ElementType.Float32, [1]);
        Value next = body.Node("Add", state, body.AddConstant("one", Tensor.From(1f)));
        float limit = hasTripCount && !hasCondition ? 0 : 5;
        body.AddOutput(body.Node("Less", next, body.AddConstant("limit", Tensor.From(limit))));
        body.AddOutput(next);
        Value? condition = hasCondition ? graph.AddConstant("start", Tensor.Scalar(true)) : null;
        graph.AddOutput(AddLoop(graph, body, hasTripCount ? Trip(graph, 3) : null, condition, [x]).Outputs[0]);
        Assert.Equal([expected], Floats(All(graph, ("x", Tensor.From(0f)))[0]));
    }

    [Fact]
    public void Run_EndlessLoop_EndsWithAnErrorThatNamesTheLimit()
    {
        (Graph graph, Value x, Graph body) = Start([1]);
        body.AddOutput(body.Node("Neg", body.AddInput("state", ElementType.Float32, [1])));
        graph.AddOutput(AddLoop(graph, body, null, null, [x]).Outputs[0]);
        var inputs = new Dictionary<string, Tensor> { ["x"] = Tensor.From(1f) };
        ExecutionLimits few = new() { MaxIterations = 100 }, brief = new() { TimeLimit = TimeSpan.Zero };
        const string expected = "Loop 'loop': iterates although the run has made 100 iterations, the limit: raise ExecutionLimits.MaxIterations if the model means it";
        Assert.Equal(expected, Assert.Throws<InvalidDataException>(() => new Interpreter(few).Run(graph, inputs)).Message);
        using var runner = new GraphRunner(graph, few);
        Assert.Equal(expected, Assert.Throws<InvalidDataException>(() => runner.Run(inputs)).Message);
        Assert.Contains("TimeLimit", Assert.Throws<InvalidDataException>(() => new Interpreter(brief).Run(graph, inputs)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Run_SlicesOfTwoShapes_NamesTheIteration()
    {
        (Graph graph, Value x, Graph body) = Start([1]);
        Value state = body.AddInput("state", ElementType.Float32, [1]);
        Value longer = body.AddNode("Concat", [state, x], new() { { "axis", 0 } }).Outputs[0];
        body.AddOutput(longer);
        body.AddOutput(longer);
        graph.AddOutput(AddLoop(graph, body, Trip(graph, 2), null, [x], outputs: 2).Outputs[1]);
        string message = Assert.Throws<InvalidDataException>(() => new Interpreter().Run(graph, new Dictionary<string, Tensor> { ["x"] = Tensor.From(1f) })).Message;
        Assert.Contains("is float32 [3] in iteration 1, but float32 [2] in the first, expected one shape", message, StringComparison.Ordinal);
    }

    [Fact]
    public void Infer_StateOfAnotherType_IsRefused()
    {
        (Graph graph, Value x, Graph body) = Start([1]);
        body.AddOutput(body.AddNode("Cast", [body.AddInput("state", ElementType.Float32, [1])], new() { { "to", (long)ElementType.Int32 } }).Outputs[0]);
        string message = Assert.Throws<InvalidDataException>(() => AddLoop(graph, body, Trip(graph, 2), null, [x])).Message;
        Assert.Equal("Loop 'loop': state 0 is float32, but its body returns int32", message);
    }

    [Fact]
    public void Run_LoopInALoop_ReadsValuesTwoGraphsOut()
    {
        (Graph graph, Value x, Graph body) = Start([2]);
        Value state = body.AddInput("state", ElementType.Float32, [2]);
        Graph inner = LoopBody(body);
        Value innerState = inner.AddInput("innerState", ElementType.Float32, [2]);
        inner.AddOutput(inner.Node("Add", inner.Node("Add", innerState, x), state));
        Node nested = body.AddNode("Loop", [Trip(body, 2), null, state], new() { { "body", inner } });
        body.AddOutput(nested.Outputs[0]);
        body.AddOutput(body.Inputs[0]);
        Node loop = AddLoop(graph, body, Trip(graph, 3), null, [x], outputs: 2);
        graph.AddOutput(loop.Outputs[0]);
        graph.AddOutput(loop.Outputs[1]);
        Tensor[] results = All(graph, ("x", Tensor.From<float>(1, 10)));
        // Each outer iteration takes s to 3 s + 2 x.
        Assert.Equal([53, 530], Floats(results[0]));
        Assert.Equal([0, 1, 2], results[1].Span<long>().ToArray());
    }

    private static (Graph Graph, Value X, Graph Body) Start(SymbolicShape shape)
    {
        var graph = new Graph(opset: 21);
        Value x = graph.AddInput("x", ElementType.Float32, shape);
        return (graph, x, LoopBody(graph));
    }

    private static Value Trip(Graph graph, long count) => graph.AddConstant(graph.UniqueName("trips"), Tensor.Scalar(count));

    private static Node AddLoop(Graph graph, Graph body, Value? trips, Value? condition, Value[] states, int outputs = 1) =>
        graph.AddNode("Loop", [trips, condition, .. states], new() { { "body", body } }, outputs, "loop");
}
