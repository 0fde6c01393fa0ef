using Fewbit.Graphs.Execution;
using Fewbit.Tensors;

namespace Fewbit.Graphs.Tests;

/// <summary>Compares what a graph and its gradient give in float32, by the fast kernels, with what they give in float64.</summary>
internal static class FloatGradientCheck
{
    /// <summary>Builds the function in both types, with the gradients of a random sum of its outputs, and asserts that they agree.</summary>
    /// <param name="build">Appends the function to the graph that owns the given values.</param>
    /// <param name="tolerance">Largest difference, relative to the largest element of a tensor.</param>
    /// <param name="inputs">Float64 tensors.</param>
    public static void Run(Func<Value[], Value[]> build, double tolerance, params Tensor[] inputs)
    {
        Tensor[] wide = Evaluate(build, inputs, ElementType.Float64), narrow = Evaluate(build, inputs, ElementType.Float32);
        for (int i = 0; i < wide.Length; i++)
        {
            Assert.Equal(wide[i].Shape, narrow[i].Shape);
            double largest = 1e-3;
            foreach (double element in wide[i].Span<double>()) largest = Math.Max(largest, Math.Abs(element));
            for (int e = 0; e < wide[i].ElementCount; e++)
            {
                double expected = wide[i].Span<double>()[e], found = narrow[i].Span<float>()[e];
                Assert.True(Math.Abs(found - expected) <= tolerance * largest, $"result {i}, element {e}: {found} in float32, {expected} in float64");
            }
        }
    }

    /// <summary>The tensor in float32.</summary>
    public static Tensor Narrow(Tensor tensor) => Tensor.From<float>(Array.ConvertAll(tensor.Span<double>().ToArray(), value => (float)value), tensor.Shape);

    private static Tensor[] Evaluate(Func<Value[], Value[]> build, Tensor[] inputs, ElementType type)
    {
        var graph = new Graph(opset: 21);
        Value[] values = [.. inputs.Select((tensor, i) => graph.AddInput($"x{i}", type, SymbolicShape.From(tensor.Shape)))];
        Value[] outputs = build(values);
        Value? loss = null;
        foreach ((int i, Value output) in outputs.Index())
        {
            Tensor weights = GradientCheck.Random(output.Shape!.ToShape(), 100 + i, 0.5, 1.5);
            Value part = (output * graph.AddConstant("weights", type == ElementType.Float64 ? weights : Narrow(weights))).SumToShapeOf(output.Scalar(0));
            loss = loss is null ? part : loss + part;
        }
        Value[] wanted = [.. outputs, .. Gradients.Of(loss!, values)];
        Plan plan = Plan.Compile(graph, new() { Inputs = inputs.Select((tensor, i) => ($"x{i}", tensor.Shape)).ToDictionary(pair => pair.Item1, pair => pair.Shape), Outputs = [.. wanted.Select(value => value.Name)] });
        plan.Run(inputs.Select((tensor, i) => ($"x{i}", type == ElementType.Float64 ? tensor : Narrow(tensor))).ToDictionary(pair => pair.Item1, pair => pair.Item2));
        return [.. wanted.Select(value => plan.Output(value.Name))];
    }
}
