using Fewbit.Graphs.Execution;
using Fewbit.Tensors;
using static Fewbit.Graphs.Tests.Control.ControlRun;

namespace Fewbit.Graphs.Tests.Control;

public class IfTests
{
    [Theory]
    [InlineData(true, -1)]
    [InlineData(false, 3)]
    public void Run_ConditionOfEachKind_TakesItsBranch(bool condition, float expected)
    {
        foreach (bool isConstant in (bool[])[false, true])
        {
            (Graph graph, Value x, Graph then, Graph otherwise) = Start();
            then.AddOutput(then.Node("Neg", x));
            otherwise.AddOutput(otherwise.Node("Add", x, otherwise.AddConstant("two", Tensor.From(2f))));
            Value given = isConstant ? graph.AddConstant("c", Tensor.Scalar(condition)) : graph.AddInput("c", ElementType.Bool, []);
            Node choice = graph.AddNode("If", [given], Branches(then, otherwise));
            graph.AddOutput(graph.Node("Identity", choice.Outputs[0]));
            (string, Tensor) fed = ("x", Tensor.From(1f));
            Assert.Equal([expected], Floats((isConstant ? All(graph, fed) : All(graph, fed, ("c", Tensor.Scalar(condition))))[0]));
            Assert.Equal([1], choice.Outputs[0].Shape!);
        }
    }

    [Fact]
    public void Run_BranchThatReturnsAnOuterValue_KeepsIt()
    {
        (Graph graph, Value x, Graph then, Graph otherwise) = Start();
        Value y = graph.Node("Neg", x);
        then.AddOutput(y);
        otherwise.AddOutput(otherwise.Node("Unsqueeze", y, otherwise.AddConstant("axis", Tensor.From(0L))));
        Node choice = graph.AddNode("If", [graph.AddInput("c", ElementType.Bool, [])], Branches(then, otherwise));
        // y is read no more: what follows may take its memory.
        Value other = graph.Node("Mul", graph.Node("Add", x, x), graph.Node("Exp", x));
        graph.AddOutput(choice.Outputs[0]);
        graph.AddOutput(other);
        Assert.Equal([-1], Floats(All(graph, ("x", Tensor.From(1f)), ("c", Tensor.Scalar(true)))[0]));
        Assert.Equal("float32 [1, 1]", All(graph, ("x", Tensor.From(1f)), ("c", Tensor.Scalar(false)))[0].ToString());
        Assert.Null(choice.Outputs[0].Shape);
    }

    [Fact]
    public void Run_BranchThatDoesNotSuitTheShape_NeedsNotBeValid()
    {
        var graph = new Graph(opset: 21);
        Value x = graph.AddInput("x", ElementType.Float32, [2, 3]);
        Value isOne = graph.Node("Equal", graph.Node("Gather", graph.Node("Shape", x), graph.AddConstant("i", Tensor.Scalar(0L))), graph.AddConstant("one", Tensor.Scalar(1L)));
        Graph then = new("then", parent: graph), otherwise = new("else", parent: graph);
        then.AddOutput(then.AppendRaw("", "Squeeze", "squeeze", [x, then.AddConstant("axis", Tensor.From(0L))], [then.AddValue("squeezed")], []).Outputs[0]);
        otherwise.AddOutput(otherwise.Node("Identity", x));
        graph.AddOutput(graph.AddNode("If", [isOne], Branches(then, otherwise)).Outputs[0]);
        Assert.Equal("float32 [2, 3]", All(graph, ("x", Tensor.Allocate(ElementType.Float32, [2, 3])))[0].ToString());
    }

    [Fact]
    public void Infer_BranchesOfSymbolicShapes_KeepsWhatHoldsOfBoth()
    {
        var graph = new Graph(opset: 21);
        Value x = graph.AddInput("x", ElementType.Float32, ["N", 3]);
        Graph then = new("then", parent: graph), otherwise = new("else", parent: graph);
        then.AddOutput(then.Node("Neg", x));
        otherwise.AddOutput(otherwise.AddNode("Concat", [x, x], new() { { "axis", 1 } }).Outputs[0]);
        Node choice = graph.AddNode("If", [graph.AddInput("c", ElementType.Bool, [])], Branches(then, otherwise));
        Assert.Equal(["N", Dim.Unknown], choice.Outputs[0].Shape!);
        Assert.Equal(ElementType.Float32, choice.Outputs[0].Type);
    }

    [Fact]
    public void Run_BindingOfAConstant_ReachesTheBranch()
    {
        (Graph graph, Value x, Graph then, Graph otherwise) = Start();
        Value weight = graph.AddConstant("w", Tensor.From(2f));
        then.AddOutput(then.Node("Mul", x, weight));
        otherwise.AddOutput(otherwise.Node("Neg", x));
        graph.AddOutput(graph.AddNode("If", [graph.AddInput("c", ElementType.Bool, [])], Branches(then, otherwise), name: "if").Outputs[0]);
        var inputs = new Dictionary<string, Tensor> { ["x"] = Tensor.From(1f), ["c"] = Tensor.Scalar(true), ["w"] = Tensor.From(7f) };
        Assert.Equal([7], Floats(new Interpreter().Run(graph, inputs)[0]));
        Plan plan = Plan.Compile(graph, new() { Inputs = new Dictionary<string, Shape> { ["x"] = [1], ["c"] = [] }, Bindings = new Dictionary<string, Tensor> { ["w"] = Tensor.From(7f) } });
        plan.Run(inputs);
        Assert.Equal([7], Floats(plan.Output("if/out")));
    }

    private static (Graph Graph, Value X, Graph Then, Graph Else) Start()
    {
        var graph = new Graph(opset: 21);
        return (graph, graph.AddInput("x", ElementType.Float32, [1]), new("then", parent: graph), new("else", parent: graph));
    }

    private static Attributes Branches(Graph then, Graph otherwise) => new() { { "then_branch", then }, { "else_branch", otherwise } };
}
