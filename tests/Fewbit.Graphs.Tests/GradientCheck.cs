using Fewbit.Graphs.Execution;
using Fewbit.Graphs.Tests.Differentiation;
using Fewbit.Tensors;

namespace Fewbit.Graphs.Tests;

/// <summary>Compares gradient rules with central differences, in float64.</summary>
/// <remarks>The scalar that is differentiated is the sum of the outputs' elements, each times a random number, so that no error can cancel.</remarks>
internal static class GradientCheck
{
    private const double Step = 1e-5;
    private const int ElementsChecked = 40;

    /// <summary>Builds a function of float64 inputs, and asserts that each input's gradient is that of finite differences.</summary>
    /// <param name="build">Appends the function to the graph that owns the given values, and returns the output.</param>
    /// <param name="inputs">Float64 tensors at a point where the function is smooth (no tie, no kink within 1e-5).</param>
    public static void Run(Func<Value[], Value> build, params Tensor[] inputs) => Run(values => [build(values)], 1, inputs);

    /// <summary>As <see cref="Run(Func{Value[], Value}, Tensor[])"/>, and then checks the gradient of a random sum over the gradients.</summary>
    public static void RunTwice(Func<Value[], Value> build, params Tensor[] inputs) => Run(values => [build(values)], 2, inputs);

    /// <summary>For functions of several outputs.</summary>
    public static void RunMany(Func<Value[], Value[]> build, params Tensor[] inputs) => Run(build, 1, inputs);

    /// <summary>Uniform numbers in [min, max], the same for the same seed.</summary>
    public static Tensor Random(Shape shape, int seed, double min = -1, double max = 1)
    {
        var random = new Random(seed);
        Tensor tensor = Tensor.AllocateUninitialized(ElementType.Float64, shape);
        foreach (ref double element in tensor.Span<double>()) element = min + (max - min) * random.NextDouble();
        return tensor;
    }

    /// <summary>Checks a case of the table, to its order.</summary>
    public static void Run(GradientCase point) => Run(point.Build, point.Order, point.Learned, point.Opset);

    private static void Run(Func<Value[], Value[]> build, int order, Tensor[] inputs, int opset = 21)
    {
        var graph = new Graph(opset: opset);
        Value[] values = [.. inputs.Select((tensor, i) => graph.AddInput($"x{i}", ElementType.Float64, SymbolicShape.From(tensor.Shape)))];
        Value loss = WeightedSum(build(values), 1);
        Value[] gradients = Gradients.Of(loss, values);
        Check(graph, loss, gradients, inputs, "gradient");
        if (order < 2) return;
        loss = WeightedSum(gradients, 1000);
        Check(graph, loss, Gradients.Of(loss, values), inputs, "second derivative");
    }

    private static Value WeightedSum(IReadOnlyList<Value> outputs, int seed)
    {
        Value? sum = null;
        foreach (Value output in outputs)
        {
            Assert.True(output.Shape is { IsKnown: true }, $"the shape of {output} is not inferred");
            Value weights = output.Graph.AddConstant("weights", Random(output.Shape!.ToShape(), seed++, 0.5, 1.5));
            Value part = (output * weights).SumToShapeOf(output.Graph.AddConstant("scalar", Tensor.Scalar(0.0)));
            sum = sum is null ? part : sum + part;
        }
        return sum!;
    }

    private static void Check(Graph graph, Value loss, Value[] gradients, Tensor[] inputs, string name)
    {
        Tensor[] analytic = Evaluate(graph, gradients, inputs);
        for (int i = 0; i < inputs.Length; i++)
        {
            Assert.Equal(inputs[i].Shape, analytic[i].Shape);
            Span<double> x = inputs[i].Span<double>();
            int stride = Math.Max(1, x.Length / ElementsChecked);
            for (int e = 0; e < x.Length; e += stride)
            {
                double kept = x[e];
                x[e] = kept + Step;
                double above = Evaluate(graph, [loss], inputs)[0].Item<double>();
                x[e] = kept - Step;
                double below = Evaluate(graph, [loss], inputs)[0].Item<double>();
                x[e] = kept;
                double expected = (above - below) / (2 * Step), found = analytic[i].Span<double>()[e];
                // Central differences err by Step² times the third derivative, and by rounding over Step.
                Assert.True(Math.Abs(found - expected) <= 1e-6 * Math.Max(1, Math.Abs(expected)), $"{name} of input {i}, element {e}: {found}, by finite differences {expected}");
            }
        }
    }

    private static Tensor[] Evaluate(Graph graph, Value[] values, Tensor[] inputs)
    {
        Plan plan = Cached(graph, values, inputs);
        for (int i = 0; i < inputs.Length; i++) inputs[i].CopyTo(plan.Input($"x{i}"));
        plan.Run();
        return [.. values.Select(value => plan.Output(value.Name))];
    }

    private static Plan Cached(Graph graph, Value[] values, Tensor[] inputs)
    {
        var key = (graph, string.Join('|', values.Select(value => value.Name)));
        if (s_plan.Key != key) s_plan = (key, Plan.Compile(graph, new()
        {
            Inputs = inputs.Select((tensor, i) => ($"x{i}", tensor.Shape)).ToDictionary(pair => pair.Item1, pair => pair.Shape),
            Outputs = [.. values.Select(value => value.Name)],
        }));
        return s_plan.Plan!;
    }

    [ThreadStatic] private static ((Graph?, string) Key, Plan? Plan) s_plan;
}
