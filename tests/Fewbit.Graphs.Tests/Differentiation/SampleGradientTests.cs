using Fewbit.Graphs.Execution;
using Fewbit.Tensors;

namespace Fewbit.Graphs.Tests.Differentiation;

/// <summary>Gradients of inner values (Fisher weights), and of parameters sample by sample.</summary>
public sealed class SampleGradientTests
{
    private const int Samples = 4;

    [Fact]
    public void InnerValue_FisherWeights_MatchDifferencesAtThatValue()
    {
        // What is added to the inner value has its gradient.
        Tensor x = GradientCheck.Random([Samples, 2, 5, 5], 1), shift = Tensor.Allocate(ElementType.Float64, [Samples, 3, 3, 3]);
        var (graph, inner, loss) = Network(withShift: true);
        Value[] fisher = [.. Gradients.Of(loss, [inner, graph.Find("shift")!]).Select(gradient => gradient * gradient)];
        Plan plan = Plan.Compile(graph, new() { Inputs = new Dictionary<string, Shape> { ["x"] = x.Shape, ["shift"] = shift.Shape }, Outputs = [fisher[0].Name, loss.Name] });
        double[] weights = Run(plan, x, shift, fisher[0].Name);
        for (int i = 0; i < weights.Length; i += 7)
        {
            shift.Span<double>()[i] = 1e-5;
            double above = Run(plan, x, shift, loss.Name)[0];
            shift.Span<double>()[i] = -1e-5;
            double slope = (above - Run(plan, x, shift, loss.Name)[0]) / 2e-5;
            shift.Span<double>()[i] = 0;
            Assert.Equal(slope * slope, weights[i], 1e-9);
        }
        Assert.Contains(weights, weight => weight > 1e-4);
    }

    [Fact]
    public void PerSample_Network_EqualsTheGradientsOfEachSampleAlone()
    {
        Tensor x = GradientCheck.Random([Samples, 2, 5, 5], 1);
        var (graph, _, loss) = Network(withShift: false);
        Value[] parameters = [graph.Find("w")!, graph.Find("v")!];
        int nodes = graph.Nodes.Count;
        Tensor[] found = PerSampleGradients.Compile(loss, parameters, new Dictionary<string, Shape> { ["x"] = [1, 2, 5, 5] }).Run(new Dictionary<string, Tensor> { ["x"] = x });
        Assert.Equal(nodes, graph.Nodes.Count);
        Assert.Equal([new Shape(Samples, 3, 2, 3, 3), new Shape(Samples, 27, 2)], found.Select(tensor => tensor.Shape));
        // The loss is a sum over samples: so are the gradients of a batch.
        Value[] whole = Gradients.Of(loss, parameters);
        foreach (Value gradient in whole) graph.AddOutput(gradient);
        Tensor[] sums = new Interpreter().Run(graph, new Dictionary<string, Tensor> { ["x"] = x });
        for (int p = 0; p < parameters.Length; p++)
        {
            double[] all = found[p].Span<double>().ToArray();
            int size = all.Length / Samples;
            for (int i = 0; i < size; i++) Assert.Equal(sums[^(parameters.Length - p)].Span<double>()[i], Enumerable.Range(0, Samples).Sum(sample => all[sample * size + i]), 1e-10);
            Assert.True(Enumerable.Range(0, size).Any(i => Math.Abs(all[i] - all[size + i]) > 1e-3), "two samples have one gradient");
        }
    }

    [Fact]
    public void PerSample_WrongInputs_NameThem()
    {
        var (graph, _, loss) = Network(withShift: false);
        Value w = graph.Find("w")!;
        Assert.Contains("input 'x' of one sample is [2, 2, 5, 5], expected length 1", Assert.Throws<ArgumentException>(() => PerSampleGradients.Compile(loss, [w], new Dictionary<string, Shape> { ["x"] = [2, 2, 5, 5] })).Message, StringComparison.Ordinal);
        PerSampleGradients gradients = PerSampleGradients.Compile(loss, [w], new Dictionary<string, Shape> { ["x"] = [1, 2, 5, 5] });
        Assert.Contains("no tensor is given for input 'x'", Assert.Throws<ArgumentException>(() => gradients.Run(new Dictionary<string, Tensor>())).Message, StringComparison.Ordinal);
        Assert.Contains("compiled for samples of float64 [1, 2, 5, 5]", Assert.Throws<ArgumentException>(() => gradients.Run(new Dictionary<string, Tensor> { ["x"] = Tensor.Allocate(ElementType.Float64, [3, 2, 5, 4]) })).Message, StringComparison.Ordinal);
    }

    /// <summary>A convolution, whose output is the inner value, and a matrix.</summary>
    private static (Graph Graph, Value Inner, Value Loss) Network(bool withShift)
    {
        var graph = new Graph(opset: 21);
        Value x = graph.AddInput("x", ElementType.Float64, ["N", 2, 5, 5]), inner = x.Apply("Conv", graph.AddConstant("w", GradientCheck.Random([3, 2, 3, 3], 2)));
        Value moved = withShift ? inner + graph.AddInput("shift", ElementType.Float64, ["N", 3, 3, 3]) : inner;
        Value scores = moved.Apply("Tanh").Flatten().MatMul(graph.AddConstant("v", GradientCheck.Random([27, 2], 3)));
        return (graph, inner, (scores.Apply("LogSoftmax") * scores).SumToShapeOf(scores.Scalar(0)));
    }

    private static double[] Run(Plan plan, Tensor x, Tensor shift, string output)
    {
        plan.Run(new Dictionary<string, Tensor> { ["x"] = x, ["shift"] = shift });
        return plan.Output(output).Span<double>().ToArray();
    }
}
