using Fewbit.Graphs.Execution;
using Fewbit.Tensors;

namespace Fewbit.Graphs.Tests.Operators;

/// <summary>Runs one operator on tensors.</summary>
internal static class OperatorRun
{
    public static Tensor One(string op, params Tensor?[] inputs) => All(op, [], 1, inputs)[0];

    public static Tensor One(string op, Attributes attributes, params Tensor?[] inputs) => All(op, attributes, 1, inputs)[0];

    public static Tensor[] All(string op, Attributes attributes, int outputs, params Tensor?[] inputs)
    {
        var graph = new Graph(opset: 21);
        var given = new Dictionary<string, Tensor>();
        var values = new Value?[inputs.Length];
        for (int i = 0; i < inputs.Length; i++)
        {
            if (inputs[i] is not { } tensor) continue;
            values[i] = graph.AddInput($"x{i}", tensor.Type, SymbolicShape.From(tensor.Shape));
            given[$"x{i}"] = tensor;
        }
        foreach (Value output in graph.AddNode(op, values, attributes, outputs).Outputs) graph.AddOutput(output);
        return new Interpreter().Run(graph, given);
    }

    /// <summary>Uniform float32 numbers in [min, max].</summary>
    public static Tensor Random(Shape shape, int seed, float min = -1, float max = 1)
    {
        var random = new Random(seed);
        Tensor tensor = Tensor.AllocateUninitialized(ElementType.Float32, shape);
        foreach (ref float element in tensor.Span<float>()) element = min + (max - min) * random.NextSingle();
        return tensor;
    }
}
