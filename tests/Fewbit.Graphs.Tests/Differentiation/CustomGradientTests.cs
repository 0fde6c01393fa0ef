using Fewbit.Graphs.Execution;
using Fewbit.Tensors;

namespace Fewbit.Graphs.Tests.Differentiation;

public sealed class CustomGradientTests
{
    private static readonly double[] X = [-1.6, -0.4, 0.3, 2.7];

    [Fact]
    public void StraightThrough_Round_PassesTheGradient()
    {
        (double[] y, double[] gradient) = Run(x => x.StraightThrough(v => v.Apply("Round")) * 3f);
        Assert.Equal([-6.0, 0, 0, 9], y);
        Assert.Equal([3.0, 3, 3, 3], gradient);
    }

    [Fact]
    public void ClippedStraightThrough_Sign_PassesTheGradientInside()
    {
        (double[] y, double[] gradient) = Run(x => x.ClippedStraightThrough(v => v.Apply("Sign"), -1, 1));
        Assert.Equal([-1.0, -1, 1, 1], y);
        Assert.Equal([0.0, 1, 1, 0], gradient);
    }

    [Fact]
    public void StopAndScaleGradient_KeepTheValue()
    {
        (double[] y, double[] gradient) = Run(x => x.StopGradient() * x);
        Assert.Equal(X.Select(v => v * v), y);
        Assert.Equal(X, gradient);
        (y, gradient) = Run(x => x.ScaleGradient(0.25) + x.ScaleGradient(x.Graph.AddConstant("factors", Tensor.From(1.0, 2, 3, 4))));
        Assert.Equal(X.Select(v => 2 * v), y);
        Assert.Equal([1.25, 2.25, 3.25, 4.25], gradient);
    }

    [Fact]
    public void WithGradient_RuleOfSeveralInputs_IsDifferentiatedAgain()
    {
        // a · b with its true gradient, and one of ten times the size for the second.
        Value Product(Value a, Value b, float factor) => Value.WithGradient([a, b], v => v[0] * v[1], c => [c.OutputGradient * c.Inputs[1], c.OutputGradient * c.Inputs[0] * factor]);
        GradientCheck.RunTwice(v => Product(v[0], v[1], 1) * v[0], GradientCheck.Random([2, 3], 1), GradientCheck.Random([2, 3], 2));
        (_, double[] gradient) = Run(x => Product(x.Graph.AddConstant("a", Tensor.From(1.0, 2, 3, 4)), x, 10));
        Assert.Equal([10.0, 20, 30, 40], gradient);
    }

    [Fact]
    public void WithGradient_WrongRule_NamesTheNode()
    {
        var graph = new Graph();
        Value x = graph.AddInput("x", ElementType.Float64, [4]), y = x.WithGradient(v => v * v, c => c.OutputGradient.Apply("ReduceSum"));
        Assert.Equal("ai.fewbit.CustomGradient 'CustomGradient': its rule gives a gradient of shape [1] for input 'x' float64 [4]", Assert.Throws<InvalidDataException>(() => Gradients.Of(y, [x])).Message);
    }

    [Fact]
    public void LearnedStepQuantize_Gradients_AreThoseOfThePaper()
    {
        var graph = new Graph();
        Value x = graph.AddInput("x", ElementType.Float64, [4]), step = graph.AddInput("step", ElementType.Float64, []);
        Value y = x.LearnedStepQuantize(step, -2, 1, count: 4);
        Value[] gradients = Gradients.Of(y, [x, step]);
        graph.AddOutput(y);
        foreach (Value gradient in gradients) graph.AddOutput(gradient);
        Tensor[] results = new Interpreter().Run(graph, new Dictionary<string, Tensor> { ["x"] = Tensor.From(X), ["step"] = Tensor.Scalar(0.5) });
        // x / step = -3.2 -0.8 0.6 5.4, codes -2 -1 1 1.
        Assert.Equal([-1, -0.5, 0.5, 0.5], results[0].Span<double>().ToArray());
        Assert.Equal([0.0, 1, 1, 0], results[1].Span<double>().ToArray());
        // Limited: the limit; inside: code - x / step. All by sqrt(4 · 1).
        Assert.Equal((-2 + (-1 + 0.8) + (1 - 0.6) + 1) / 2, results[2].Item<double>(), 7);
    }

    private static (double[] Y, double[] Gradient) Run(Func<Value, Value> function)
    {
        var graph = new Graph(opset: 21);
        Value x = graph.AddInput("x", ElementType.Float64, [4]), y = function(x), gradient = Gradients.Of(y, [x])[0];
        Plan plan = Plan.Compile(graph, new() { Inputs = new Dictionary<string, Shape> { ["x"] = [4] }, Outputs = [y.Name, gradient.Name] });
        plan.Run(new Dictionary<string, Tensor> { ["x"] = Tensor.From(X) });
        return (plan.Output(y.Name).Span<double>().ToArray(), plan.Output(gradient.Name).Span<double>().ToArray());
    }
}
