using Fewbit.Evaluation;
using Fewbit.Graphs;
using Fewbit.Models;
using Fewbit.Onnx;
using Fewbit.OnnxRuntime;
using Fewbit.Runtime;
using Fewbit.Tensors;
using Fewbit.Testing;

namespace Fewbit.Tests.Quantization;

/// <summary>Graphs of matrix products, and the same model in two engines.</summary>
internal static class ModeGraphs
{
    private static readonly Lazy<OnnxRuntimeLibrary> s_library = new(() => OnnxRuntimeLibrary.Open(Oracles.OnnxRuntimeLibrary));

    /// <summary>Two products with biases, 40 and 24 inputs wide: neither is a multiple of a block.</summary>
    public static Graph Perceptron()
    {
        Graph graph = SmallGraphs.Create(out Value x, "N", 40);
        Value hidden = x.Named("Gemm", "first", new() { { "transB", 1 } }, graph.AddConstant("first.weight", SmallGraphs.Random([24, 40], 1)), graph.AddConstant("first.bias", SmallGraphs.Random([24], 2))).Named("Relu", "relu");
        hidden.Named("MatMul", "second", null, graph.AddConstant("second.weight", SmallGraphs.Random([24, 8], 3))).Returns("scores");
        return graph;
    }

    public static Graph Stories() => OnnxFile.Load(Oracles.Data("text/stories260K/stories260K.onnx"));

    public static Graph Transformer() => ReferenceModels.Find("transformer-char").Create();

    /// <summary>Seeded inputs, token numbers below 60.</summary>
    public static IReadOnlyDictionary<string, Tensor> Inputs(Graph graph, int seed = 5)
    {
        Dictionary<string, Tensor> inputs = RandomInputs.For(graph.Inputs.Select(input => new ValueInfo(input.Name, input.Type, input.Shape)), seed, (_, axis) => axis == 0 ? 2 : 16, -1, 1);
        foreach (Tensor tokens in inputs.Values.Where(tensor => tensor.Type == ElementType.Int64))
        {
            foreach (ref long token in tokens.Span<long>()) token %= 60;
        }
        return inputs;
    }

    /// <summary>Largest difference of Fewbit's outputs from ONNX Runtime's, relative to the largest of them.</summary>
    /// <param name="model">The model.</param>
    /// <param name="level">Rewrites of the runtime.</param>
    /// <param name="accuracyLevel">What blocked products run at where the runtime fuses them.</param>
    public static double AgainstRuntime(Graph model, GraphOptimizationLevel level, int accuracyLevel = 0)
    {
        var options = new OnnxRuntimeOptions { OptimizationLevel = level, ConfigEntries = new Dictionary<string, string> { ["session.qdq_matmulnbits_accuracy_level"] = $"{accuracyLevel}" } };
        using var runtime = OnnxRuntimeSession.Load(s_library.Value, OnnxFile.ToBytes(model), options);
        return Difference(runtime.Run(Inputs(model)), Outputs(model)).Max(difference => difference.MaxDifference / difference.MaxReference);
    }

    /// <summary>Signal to noise of a model's outputs against its float model's, the worst of them, in decibels.</summary>
    public static double SignalToNoise(Graph original, Graph model) => Difference(Outputs(original), Outputs(model)).Min(difference => difference.SignalToNoise);

    public static IReadOnlyDictionary<string, Tensor> Outputs(Graph graph)
    {
        using var runner = ModelRunner.From(graph);
        return runner.Run(Inputs(graph));
    }

    private static IEnumerable<OutputDifference> Difference(IReadOnlyDictionary<string, Tensor> reference, IReadOnlyDictionary<string, Tensor> others)
    {
        Assert.Equal(reference.Keys.Order(), others.Keys.Order());
        foreach ((string name, Tensor tensor) in reference.Where(pair => pair.Value.Type == ElementType.Float32))
        {
            var difference = new OutputDifference();
            difference.Add(tensor, others[name]);
            yield return difference;
        }
    }
}
