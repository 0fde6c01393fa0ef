using Fewbit.Graphs.Execution;
using Fewbit.Tensors;

namespace Fewbit.Graphs.Tests.Learning;

public sealed class FakeQuantizeTests
{
    private static Tensor[] Run(float[] x, float scale, float zeroPoint, float min, float max, float[] seed)
    {
        var graph = new Graph();
        Value input = graph.AddInput("x", ElementType.Float32, [x.Length]);
        Value s = graph.AddConstant("s", Tensor.Scalar(scale)), z = graph.AddConstant("z", Tensor.Scalar(zeroPoint));
        Value upstream = graph.AddInput("seed", ElementType.Float32, [x.Length]);
        Value y = input.Apply("ai.fewbit", "FakeQuantize", new() { { "min", min }, { "max", max } }, s, z);
        Value[] gradients = Gradients.Of(y, [input, s], upstream);
        foreach (Value output in (Value[])[y, .. gradients]) graph.AddOutput(output);
        return new Interpreter().Run(graph, new Dictionary<string, Tensor> { ["x"] = Tensor.From<float>(x), ["seed"] = Tensor.From<float>(seed) });
    }

    [Fact]
    public void Evaluate_EdgeValues_RoundsHalfToEvenAndClamps()
    {
        Tensor[] results = Run([0.25f, 0.75f, -0.25f, 9, -9, 0.3f], 0.5f, 1, 0, 3, [1, 1, 1, 1, 1, 1]);
        Assert.Equal([0, 1, 0, 1, -0.5f, 0.5f], results[0].Span<float>().ToArray());
        Assert.Equal([1, 1, 1, 0, 0, 1], results[1].Span<float>().ToArray());
    }

    [Fact]
    public void Gradient_OfScale_IsThatOfLearnedStepSize()
    {
        float[] x = [.. Enumerable.Range(0, 9_001).Select(i => MathF.Sin(i) * 3)], seed = [.. Enumerable.Range(0, 9_001).Select(i => MathF.Cos(2 * i))];
        double expected = 0;
        for (int i = 0; i < x.Length; i++)
        {
            double ratio = x[i] / 0.4f, code = Math.Round((double)(float)ratio), clamped = Math.Clamp(code, -2, 5);
            expected += seed[i] * (clamped == code ? code - ratio : clamped);
        }
        Tensor[] results = Run(x, 0.4f, 2, 0, 7, seed);
        Assert.Equal(expected, results[2].Item<float>(), 1e-2);
    }

    [Fact]
    public void AdamUpdate_TwoSteps_MatchesFormula()
    {
        var graph = new Graph();
        Value p = graph.AddConstant("p", Tensor.From(1f, 2f)), m = graph.AddConstant("m", Tensor.From(0f, 0f)), v = graph.AddConstant("v", Tensor.From(0f, 0f));
        foreach (Value variable in (Value[])[p, m, v]) variable.IsVariable = true;
        Value g = graph.AddInput("g", ElementType.Float32, [2]), rate = graph.AddInput("rate", ElementType.Float32, [3]);
        Node adam = graph.InsertNode(0, "ai.fewbit", "AdamUpdate", [p, m, v, g, rate], outputs: 3);
        Plan plan = Plan.Compile(graph, new()
        {
            Inputs = new Dictionary<string, Shape> { ["g"] = [2], ["rate"] = [3] },
            Outputs = [adam.Outputs[0].Name],
            Updates = new Dictionary<string, string> { ["p"] = adam.Outputs[0].Name, ["m"] = adam.Outputs[1].Name, ["v"] = adam.Outputs[2].Name },
        });
        (double expected, double first, double second) = (1, 0, 0);
        for (int t = 1; t <= 2; t++)
        {
            float gradient = t == 1 ? 0.5f : -2f;
            plan.Run(new Dictionary<string, Tensor> { ["g"] = Tensor.From(gradient, gradient), ["rate"] = Tensor.From(0.1f, 1 - MathF.Pow(0.9f, t), 1 - MathF.Pow(0.999f, t)) });
            (first, second) = (0.9 * first + 0.1 * gradient, 0.999 * second + 0.001 * gradient * gradient);
            expected -= 0.1 * (first / (1 - Math.Pow(0.9, t))) / (Math.Sqrt(second / (1 - Math.Pow(0.999, t))) + 1e-8);
        }
        Assert.Equal(expected, p.Constant!.Span<float>()[0], 1e-5);
    }
}
