using Fewbit.Graphs.Execution;
using Fewbit.Tensors;

namespace Fewbit.Graphs.Tests.Operators;

/// <summary>Runs one operator on tensors, in the interpreter and in a plan (inputs marked constant are constants there), and checks that both agree.</summary>
internal static class OneNode
{
    public static Tensor Run(string opType, Attributes attributes, params Tensor?[] inputs) => RunAll(opType, attributes, inputs)[0];

    public static Tensor[] RunAll(string opType, Attributes attributes, Tensor?[] inputs, int outputs = 1, int constantsFrom = 1, string domain = "", int opset = 22)
    {
        var graph = new Graph(opset: opset);
        var fed = new Dictionary<string, Tensor>();
        var values = new Value?[inputs.Length];
        for (int i = 0; i < inputs.Length; i++)
        {
            if (inputs[i] is not { } tensor) continue;
            values[i] = i < constantsFrom ? graph.AddInput($"x{i}", tensor.Type, SymbolicShape.From(tensor.Shape)) : graph.AddConstant($"x{i}", tensor);
            if (i < constantsFrom) fed.Add($"x{i}", tensor);
        }
        Node node = graph.InsertNode(0, domain, opType, values, attributes, outputs);
        foreach (Value output in node.Outputs) graph.AddOutput(output);
        Tensor[] interpreted = new Interpreter().Run(graph, fed);
        var plan = Plan.Compile(graph, new() { Inputs = fed.ToDictionary(pair => pair.Key, pair => pair.Value.Shape) });
        plan.Run(fed);
        for (int i = 0; i < outputs; i++)
        {
            Tensor planned = plan.Output(node.Outputs[i].Name);
            Assert.Equal(interpreted[i].Shape, planned.Shape);
            // A packed operand is summed in another order than a plain one.
            if (planned.Type == ElementType.Float32) AssertClose(Array.ConvertAll(interpreted[i].Span<float>().ToArray(), value => (double)value), planned, 2e-6);
            else Assert.Equal(interpreted[i].Bytes.ToArray(), planned.Bytes.ToArray());
        }
        return interpreted;
    }

    /// <summary>The message of the error that building such a node gives.</summary>
    public static string Error(string opType, Attributes attributes, params SymbolicShape[] shapes)
    {
        var graph = new Graph(opset: 22);
        Value[] inputs = [.. shapes.Select((shape, i) => graph.AddInput($"x{i}", ElementType.Float32, shape))];
        return Assert.Throws<InvalidDataException>(() => graph.AddNode(opType, inputs, attributes, name: "it")).Message;
    }

    /// <summary>Numbers in [-1, 1), the same for the same seed.</summary>
    public static Tensor Numbers(int seed, params long[] shape)
    {
        var random = new Random(seed);
        Tensor tensor = Tensor.Allocate(ElementType.Float32, new(shape));
        foreach (ref float value in tensor.Span<float>()) value = random.NextSingle() * 2 - 1;
        return tensor;
    }

    public static Tensor Doubles(int seed, params long[] shape)
    {
        Tensor source = Numbers(seed, shape);
        return Tensor.From<double>(Array.ConvertAll(source.Span<float>().ToArray(), value => (double)value), source.Shape);
    }

    public static void AssertClose(ReadOnlySpan<double> expected, Tensor actual, double tolerance = 1e-5)
    {
        Assert.Equal(expected.Length, actual.ElementCount);
        for (int i = 0; i < expected.Length; i++)
        {
            double value = actual.Type == ElementType.Float64 ? actual.Span<double>()[i] : actual.Span<float>()[i];
            Assert.True(value.Equals(expected[i]) || Math.Abs(value - expected[i]) <= tolerance * Math.Max(1, Math.Abs(expected[i])), $"element {i} is {value}, expected {expected[i]}");
        }
    }

    public static double Dot(Tensor a, Tensor b)
    {
        double sum = 0;
        for (int i = 0; i < a.ElementCount; i++) sum += a.Span<double>()[i] * b.Span<double>()[i];
        return sum;
    }
}
