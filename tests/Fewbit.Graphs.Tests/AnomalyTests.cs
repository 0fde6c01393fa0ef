using Fewbit.Graphs.Execution;
using Fewbit.Tensors;

namespace Fewbit.Graphs.Tests;

public sealed class AnomalyTests
{
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Run_RootOfNegative_NamesNodeElementAndRanges(bool compiles)
    {
        (Graph graph, Value x) = WithInput([2, 3]);
        (x + 1f).Apply("Sqrt").Relu().Returns("y");
        string message = Fails(graph, Tensor.From<float>([0, 1, 2, -0.5f, -2, 8], [2, 3]), compiles);
        Assert.Equal("Sqrt 'Sqrt': output 'Sqrt/out' float32 [2, 3] holds NaN at [1, 1] (1 of 6 elements); its inputs: 'Add/out' float32 [2, 3] in [-1, 9]", message);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Run_GradientThatDividesByZero_NamesTheForwardNode(bool compiles)
    {
        (Graph graph, Value x) = WithInput([3]);
        Value y = (x * 2f).Apply("Sqrt");
        Gradients.Of(y, [x])[0].Returns("gradient");
        string message = Fails(graph, Tensor.From(1f, 0f, 2f), compiles);
        Assert.StartsWith("gradient of Sqrt 'Sqrt': Div 'Div': output 'Div/out' float32 [3] holds infinity at [1] (1 of 3 elements); its inputs: 'Mul_", message, StringComparison.Ordinal);
        Assert.EndsWith("'Sqrt/out' float32 [3] in [0, 2]", message, StringComparison.Ordinal);
    }

    [Fact]
    public void Run_SecondDerivative_NamesTheNodeOfTheModel()
    {
        (Graph graph, Value x) = WithInput([2]);
        Value first = Gradients.Of(x.Apply("Log"), [x])[0];
        Gradients.Of(first, [x])[0].Returns("second");
        Assert.StartsWith("gradient of Log 'Log': ", Fails(graph, Tensor.From(1f, 1e-25f), compiles: true), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Run_MaskOfInfinity_IsLeftAlone(bool compiles)
    {
        (Graph graph, Value x) = WithInput([3]);
        Value mask = graph.AddConstant("mask", Tensor.From(0f, float.NegativeInfinity, 0f));
        (x + mask).Softmax().Returns("y");
        Assert.Equal([0.5f, 0, 0.5f], Run(graph, Tensor.From(1f, 2f, 1f), compiles).Span<float>().ToArray());
        // Where all is masked, the softmax is the node that makes NaN of it.
        mask.SetConstant(Tensor.From(float.NegativeInfinity, float.NegativeInfinity, float.NegativeInfinity));
        Assert.Contains("Softmax 'Add/Softmax': output 'y' float32 [3] holds NaN at [0] (3 of 3 elements); its inputs: 'Add/out' float32 [3] in [0, 0] with 3 infinite", Fails(graph, Tensor.From(1f, 2f, 1f), compiles), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Run_InputWithNaN_IsNamedBeforeAnyNode(bool compiles)
    {
        (Graph graph, Value x) = WithInput([3]);
        x.Relu().Returns("y");
        Assert.Equal("input 'x' float32 [3] holds NaN at [1], before any node runs (1 of 3 elements)", Fails(graph, Tensor.From(1f, float.NaN, 1f), compiles));
    }

    [Fact]
    public void Plan_VariableThatIsUpdatedInPlace_IsLookedAtInEachRun()
    {
        (Graph graph, Value x) = WithInput([2]);
        Value variable = graph.AddConstant("w", Tensor.From(1f, 1f));
        variable.IsVariable = true;
        Value updated = variable * x;
        updated.Returns("new");
        Plan plan = Plan.Compile(graph, new() { Inputs = new Dictionary<string, Shape> { ["x"] = [2] }, Updates = new Dictionary<string, string> { ["w"] = "new" }, DetectsAnomalies = true });
        var inputs = new Dictionary<string, Tensor> { ["x"] = Tensor.From(1e30f, 2f) };
        plan.Run(inputs);
        Assert.Equal("Mul 'Mul': output 'new' float32 [2] holds infinity at [0] (1 of 2 elements); its inputs: 'w' float32 [2] in [2, 1E+30], 'x' float32 [2] in [2, 1E+30]", Assert.Throws<InvalidDataException>(() => plan.Run(inputs)).Message);
    }

    [Fact]
    public void Steps_EachNode_ShowsWhatItReadAndComputed()
    {
        (Graph graph, Value x) = WithInput([2]);
        (x.Relu() * 3f).Apply("Clip", [null, x.Scalar(4)]).Returns("y");
        var seen = new List<string>();
        foreach (NodeStep step in new Interpreter().Steps(graph, new Dictionary<string, Tensor> { ["x"] = Tensor.From(-1f, 2f) }))
        {
            string inputs = string.Join(" ", step.Inputs.Select(input => input is null ? "none" : string.Join(",", input.Span<float>().ToArray())));
            seen.Add($"{step.Node.OpType}: {inputs} -> {string.Join(",", step.Outputs[0].Span<float>().ToArray())}");
        }
        Assert.Equal(["Relu: -1,2 -> 0,2", "Mul: 0,2 3 -> 0,6", "Clip: 0,6 none 4 -> 0,4"], seen);
    }

    [Fact]
    public void Steps_CallerStops_LaterNodesDoNotRun()
    {
        (Graph graph, Value x) = WithInput([2]);
        Value wrong = x.Apply("Reshape", x.Graph.AddConstant("lengths", Tensor.From(2L)));
        wrong.Apply("Gather", x.Graph.AddConstant("index", Tensor.From(7L))).Returns("y");
        IEnumerable<NodeStep> steps = new Interpreter().Steps(graph, new Dictionary<string, Tensor> { ["x"] = Tensor.From(-1f, 2f) });
        Assert.Equal("Reshape", steps.First().Node.OpType);
        Assert.Contains("index 7 is outside", Assert.Throws<InvalidDataException>(() => steps.Last()).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Steps_MissingInput_FailsBeforeTheFirst()
    {
        (Graph graph, Value x) = WithInput([2]);
        x.Relu().Returns("y");
        Assert.Throws<ArgumentException>(() => new Interpreter().Steps(graph, new Dictionary<string, Tensor>()));
    }

    private static (Graph Graph, Value X) WithInput(Shape shape)
    {
        var graph = new Graph(opset: 21);
        return (graph, graph.AddInput("x", ElementType.Float32, SymbolicShape.From(shape)));
    }

    private static string Fails(Graph graph, Tensor x, bool compiles) => Assert.Throws<InvalidDataException>(() => Run(graph, x, compiles)).Message;

    private static Tensor Run(Graph graph, Tensor x, bool compiles)
    {
        var inputs = new Dictionary<string, Tensor> { ["x"] = x };
        if (!compiles) return new Interpreter { DetectsAnomalies = true }.Run(graph, inputs)[0];
        Plan plan = Plan.Compile(graph, new() { Inputs = new Dictionary<string, Shape> { ["x"] = x.Shape }, DetectsAnomalies = true });
        plan.Run(inputs);
        return plan.Output(graph.Outputs[0].Name);
    }
}
