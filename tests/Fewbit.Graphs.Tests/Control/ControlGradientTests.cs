using Fewbit.Graphs.Execution;
using Fewbit.Tensors;

namespace Fewbit.Graphs.Tests.Control;

public sealed class ControlGradientTests
{
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void If_BranchesThatReadOuterValues_MatchesFiniteDifferencesTwice(bool condition) => GradientCheck.RunTwice(
        v =>
        {
            Graph graph = v[0].Graph;
            Value outer = v[0] * v[0];
            Graph then = Branch(graph, body => body.AddNode("Mul", [body.AddNode("Sin", [outer]).Outputs[0], v[1]]).Outputs[0]);
            // A branch that learns from another value, and returns one of the graph around it as it is.
            Graph otherwise = Branch(graph, _ => outer);
            return outer + If(graph, graph.AddConstant("condition", Tensor.From([condition], Shape.Scalar)), then, otherwise);
        }, GradientCheck.Random([2, 3], 1), GradientCheck.Random([3], 2));

    [Fact]
    public void If_ConditionOfTheRun_TakesTheGradientOfItsBranch()
    {
        var graph = new Graph(opset: 21);
        Value x = graph.AddInput("x", ElementType.Float32, [2]), condition = graph.AddInput("condition", ElementType.Bool, []);
        Graph then = Branch(graph, body => body.AddNode("Exp", [x]).Outputs[0]);
        // Not valid where it is not taken: the root of negative numbers.
        Graph otherwise = Branch(graph, body => body.AddNode("Sqrt", [x]).Outputs[0]);
        Value gradient = Gradients.Of(If(graph, condition, then, otherwise), [x])[0];
        Plan plan = Plan.Compile(graph, new() { Inputs = new Dictionary<string, Shape> { ["x"] = [2], ["condition"] = [] }, Outputs = [gradient.Name], DetectsAnomalies = true });
        plan.Run(new Dictionary<string, Tensor> { ["x"] = Tensor.From(0f, -1f), ["condition"] = Tensor.From([true], Shape.Scalar) });
        Assert.Equal([1, MathF.Exp(-1)], plan.Output(gradient.Name).Span<float>().ToArray());
        plan.Run(new Dictionary<string, Tensor> { ["x"] = Tensor.From(4f, 16f), ["condition"] = Tensor.From([false], Shape.Scalar) });
        Assert.Equal([0.25f, 0.125f], plan.Output(gradient.Name).Span<float>().ToArray());
    }

    [Fact]
    public void If_BranchThatReadsWhatIsNotLearned_MatchesFiniteDifferencesTwice() => GradientCheck.RunTwice(
        v =>
        {
            Graph graph = v[0].Graph;
            Value mask = graph.AddConstant("mask", Tensor.From<bool>([true, false, true], [3])), factor = graph.AddConstant("factor", Tensor.From(2.0, -1, 0.5)), shape = graph.AddConstant("shape", Tensor.From(3L, 2L));
            factor.IsVariable = mask.IsVariable = true;
            Graph then = Branch(graph, body => body.AddNode("Reshape", [body.AddNode("Where", [mask, body.AddNode("Pow", [v[0], factor]).Outputs[0], v[0]]).Outputs[0], shape]).Outputs[0]);
            Graph otherwise = Branch(graph, body => body.AddNode("Reshape", [v[0], shape]).Outputs[0]);
            return If(graph, graph.AddConstant("condition", Tensor.From([true], Shape.Scalar)), then, otherwise);
        }, GradientCheck.Random([2, 3], 1, 0.5, 2));

    [Theory]
    [InlineData(0)]
    [InlineData(3)]
    public void Loop_StatesSlicesAndOuterValues_MatchesFiniteDifferencesTwice(long trips) => GradientCheck.RunTwice(
        v =>
        {
            Graph graph = v[0].Graph, body = Body(graph, 1);
            Value state = body.Inputs[2], grown = body.AddNode("Mul", [state, v[1]]).Outputs[0];
            Value step = body.AddNode("Add", [grown, body.AddNode("CastLike", [body.Inputs[0], state]).Outputs[0]]).Outputs[0];
            body.AddOutput(body.Inputs[1]);
            body.AddOutput(step);
            body.AddOutput(body.AddNode("Sin", [step]).Outputs[0]);
            Node loop = graph.AddNode("Loop", [graph.AddConstant("trips", Tensor.Scalar(trips)), null, v[0]], new() { { "body", body } }, outputs: 2);
            return loop.Outputs[0] + (trips == 0 ? v[0] : loop.Outputs[1].Apply("ReduceSum", graph.AddConstant("axis", Tensor.From(0L))).Reshape(2, 3));
        }, GradientCheck.Random([2, 3], 1), GradientCheck.Random([3], 2));

    [Fact]
    public void Loop_ConditionOfItsOwn_SaysWhatItsRuleNeeds()
    {
        var graph = new Graph(opset: 21);
        Value x = graph.AddInput("x", ElementType.Float32, [2]);
        Graph body = Body(graph, 1);
        body.AddOutput(body.AddNode("Less", [body.AddNode("ReduceSum", [body.Inputs[2]], new() { { "keepdims", 0 } }).Outputs[0], body.AddConstant("limit", Tensor.Scalar(3f))]).Outputs[0]);
        body.AddOutput(body.AddNode("Add", [body.Inputs[2], body.Inputs[2]]).Outputs[0]);
        Node loop = graph.AddNode("Loop", [graph.AddConstant("trips", Tensor.Scalar(5L)), graph.AddConstant("first", Tensor.From([true], Shape.Scalar)), x], new() { { "body", body } });
        Assert.Equal("Loop 'Loop': its gradient rule needs a constant trip count and a condition that stays true", Assert.Throws<InvalidDataException>(() => Gradients.Of(loop.Outputs[0], [x])).Message);
    }

    [Theory]
    [InlineData(0, 0)]
    [InlineData(1, 1)]
    public void Scan_EitherDirection_MatchesFiniteDifferencesTwice(long inputDirection, long outputDirection) => GradientCheck.RunTwice(
        v =>
        {
            Graph graph = v[0].Graph, body = new("body", parent: graph);
            Value state = body.AddInput("state", ElementType.Float64, [2]), slice = body.AddInput("slice", ElementType.Float64, [2]);
            Value next = body.AddNode("Tanh", [body.AddNode("Add", [body.AddNode("Mul", [state, v[2]]).Outputs[0], slice]).Outputs[0]]).Outputs[0];
            body.AddOutput(next);
            body.AddOutput(body.AddNode("Mul", [next, slice]).Outputs[0]);
            var attributes = new Attributes
            {
                { "body", body }, { "num_scan_inputs", 1 }, { "scan_input_axes", new long[] { 1 } }, { "scan_input_directions", new[] { inputDirection } },
                { "scan_output_axes", new long[] { -1 } }, { "scan_output_directions", new[] { outputDirection } },
            };
            Node scan = graph.AddNode("Scan", [v[0], v[1]], attributes, outputs: 2);
            return scan.Outputs[1] * scan.Outputs[0].Reshape(2, 1) * v[1];
        }, GradientCheck.Random([2], 1), GradientCheck.Random([2, 4], 2), GradientCheck.Random([2], 3));

    private static Graph Branch(Graph graph, Func<Graph, Value> build)
    {
        var body = new Graph("branch", parent: graph);
        body.AddOutput(build(body));
        return body;
    }

    private static Value If(Graph graph, Value condition, Graph then, Graph otherwise) =>
        graph.AddNode("If", [condition], new() { { "then_branch", then }, { "else_branch", otherwise } }).Outputs[0];

    private static Graph Body(Graph graph, int states)
    {
        var body = new Graph("body", parent: graph);
        body.AddInput("iteration", ElementType.Int64, []);
        body.AddInput("goesOn", ElementType.Bool, []);
        for (int i = 0; i < states; i++) body.AddInput($"state{i}", graph.Inputs[0].Type, graph.Inputs[0].Shape);
        return body;
    }
}
