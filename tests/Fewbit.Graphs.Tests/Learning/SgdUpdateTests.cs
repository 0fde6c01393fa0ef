using Fewbit.Graphs.Execution;
using Fewbit.Tensors;

namespace Fewbit.Graphs.Tests.Learning;

public sealed class SgdUpdateTests
{
    private const int Length = 37; // whole vectors and a rest

    [Theory]
    [InlineData(0f, 0f, false)]
    [InlineData(0.9f, 0f, false)]
    [InlineData(0.9f, 0.01f, false)]
    [InlineData(0.9f, 0.01f, true)]
    public void SgdUpdate_ThreeSteps_MatchesFormula(float momentum, float decay, bool isNesterov)
    {
        (Plan plan, Value p, _) = Compile(momentum, decay, isNesterov);
        double[] expected = [.. Enumerable.Range(0, Length).Select(i => Math.Sin(i))], velocity = new double[Length];
        for (int t = 0; t < 3; t++)
        {
            float[] gradients = [.. Enumerable.Range(0, Length).Select(i => MathF.Cos(i * (t + 1)))];
            float rate = 0.1f / (t + 1);
            plan.Run(new Dictionary<string, Tensor> { ["g"] = Tensor.From<float>(gradients), ["rate"] = Tensor.Scalar(rate) });
            for (int i = 0; i < Length; i++)
            {
                double g = gradients[i] + decay * expected[i];
                velocity[i] = momentum * velocity[i] + g;
                expected[i] -= rate * (isNesterov ? g + momentum * velocity[i] : velocity[i]);
            }
        }
        for (int i = 0; i < Length; i++) Assert.Equal(expected[i], p.Constant!.Span<float>()[i], 1e-5);
    }

    [Fact]
    public void Run_UpdateThatIsTheLastReader_TakesNoMemoryOfItsOwn()
    {
        (Plan plan, _, Node sgd) = Compile(0.9f, 0, false);
        Plan withoutUpdate = Plan.Compile(sgd.Graph, new() { Inputs = Shapes, Outputs = [sgd.Outputs[0].Name] });
        Assert.Equal(2 * 192, withoutUpdate.ArenaBytes - plan.ArenaBytes);
    }

    [Fact]
    public void Run_VariableThatIsReadAfterItsUpdate_KeepsItsOldContentsUntilTheEnd()
    {
        (_, Value p, Node sgd) = Compile(0, 0, false);
        Value difference = p - sgd.Outputs[0];
        Plan plan = Plan.Compile(sgd.Graph, new() { Inputs = Shapes, Outputs = [difference.Name], Updates = new Dictionary<string, string> { ["p"] = sgd.Outputs[0].Name } });
        plan.Run(new Dictionary<string, Tensor> { ["g"] = Tensor.From<float>(Enumerable.Repeat(2f, Length).ToArray()), ["rate"] = Tensor.Scalar(0.5f) });
        Assert.All(plan.Output(difference.Name).Span<float>().ToArray(), element => Assert.Equal(1, element, 1e-6));
    }

    [Fact]
    public void Run_UpdatedValueThatIsReadThroughAView_ShowsTheNewContents()
    {
        (_, Value p, Node sgd) = Compile(0, 0, false);
        Value view = sgd.Outputs[0].Reshape(1, Length), doubled = view * 2f;
        Plan plan = Plan.Compile(sgd.Graph, new() { Inputs = Shapes, Outputs = [view.Name, doubled.Name], Updates = new Dictionary<string, string> { ["p"] = sgd.Outputs[0].Name } });
        plan.Run(new Dictionary<string, Tensor> { ["g"] = Tensor.From<float>(Enumerable.Repeat(2f, Length).ToArray()), ["rate"] = Tensor.Scalar(0.5f) });
        Assert.Equal(MathF.Sin(1) - 1, p.Constant!.Span<float>()[1]);
        Assert.Equal(p.Constant!.Span<float>().ToArray(), plan.Output(view.Name).Span<float>().ToArray());
        Assert.Equal(2 * p.Constant!.Span<float>()[1], plan.Output(doubled.Name).Span<float>()[1]);
    }

    [Fact]
    public void Run_TensorThatAnotherVariableReads_IsUpdatedAtTheEnd()
    {
        (_, Value p, Node sgd) = Compile(0, 0, false);
        Value other = sgd.Graph.AddConstant("other", p.Constant!);
        other.IsVariable = true;
        Value difference = other - sgd.Outputs[0];
        Plan plan = Plan.Compile(sgd.Graph, new() { Inputs = Shapes, Outputs = [difference.Name], Updates = new Dictionary<string, string> { ["p"] = sgd.Outputs[0].Name } });
        plan.Run(new Dictionary<string, Tensor> { ["g"] = Tensor.From<float>(Enumerable.Repeat(2f, Length).ToArray()), ["rate"] = Tensor.Scalar(0.5f) });
        Assert.All(plan.Output(difference.Name).Span<float>().ToArray(), element => Assert.Equal(1, element, 1e-6));
    }

    [Fact]
    public void Rebind_UpdatedVariable_ReadsAndWritesTheNewTensor()
    {
        (Plan plan, Value p, _) = Compile(0, 0, false);
        float before = p.Constant!.Span<float>()[1];
        Tensor other = Tensor.Allocate(ElementType.Float32, [Length]);
        plan.Rebind("p", other);
        plan.Run(new Dictionary<string, Tensor> { ["g"] = Tensor.From<float>(Enumerable.Repeat(2f, Length).ToArray()), ["rate"] = Tensor.Scalar(0.5f) });
        Assert.Equal(before, p.Constant!.Span<float>()[1]);
        Assert.Equal(-1, other.Span<float>()[1]);
    }

    [Fact]
    public void Compile_MomentumWithoutVelocity_SaysSo()
    {
        var graph = new Graph();
        Value p = graph.AddInput("p", ElementType.Float32, [1]);
        var error = Assert.Throws<InvalidDataException>(() => graph.InsertNode(0, "ai.fewbit", "SgdUpdate", [p, null, p, p], new() { { "momentum", 0.5f } }, outputs: 1));
        Assert.Contains("velocity (input 1)", error.Message, StringComparison.Ordinal);
    }

    private static Dictionary<string, Shape> Shapes => new() { ["g"] = [Length], ["rate"] = [] };

    private static (Plan Plan, Value Parameter, Node Sgd) Compile(float momentum, float decay, bool isNesterov)
    {
        var graph = new Graph();
        Value p = graph.AddConstant("p", Tensor.From<float>([.. Enumerable.Range(0, Length).Select(i => MathF.Sin(i))])), v = graph.AddConstant("v", Tensor.Allocate(ElementType.Float32, [Length]));
        (p.IsVariable, v.IsVariable) = (true, true);
        Value g = graph.AddInput("g", ElementType.Float32, [Length]), rate = graph.AddInput("rate", ElementType.Float32, []);
        var attributes = new Attributes { { "momentum", momentum }, { "weight_decay", decay }, { "nesterov", isNesterov ? 1 : 0 } };
        Node sgd = graph.InsertNode(0, "ai.fewbit", "SgdUpdate", [p, v, g, rate], attributes, outputs: 2);
        Plan plan = Plan.Compile(graph, new()
        {
            Inputs = Shapes,
            Outputs = [],
            Updates = new Dictionary<string, string> { ["p"] = sgd.Outputs[0].Name, ["v"] = sgd.Outputs[1].Name },
        });
        return (plan, p, sgd);
    }
}
