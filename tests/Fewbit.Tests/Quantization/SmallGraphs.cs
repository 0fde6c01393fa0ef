using Fewbit.Graphs;
using Fewbit.Graphs.Execution;
using Fewbit.Onnx;
using Fewbit.OnnxRuntime;
using Fewbit.Quantization;
using Fewbit.Tensors;
using Fewbit.Testing;

namespace Fewbit.Tests.Quantization;

/// <summary>Small float graphs, their quantization, and what ONNX Runtime makes of it.</summary>
internal static class SmallGraphs
{
    private static readonly Lazy<OnnxRuntimeLibrary> s_library = new(() => OnnxRuntimeLibrary.Open(Oracles.OnnxRuntimeLibrary));

    public static Graph Create(out Value input, params ReadOnlySpan<Dim> shape)
    {
        var graph = new Graph("small", 13);
        input = graph.AddInput("input", ElementType.Float32, new SymbolicShape(shape));
        return graph;
    }

    public static Tensor Random(Shape shape, int seed, float scale = 1)
    {
        var random = new Random(seed);
        return Tensor.From<float>([.. Enumerable.Range(0, (int)shape.ElementCount).Select(_ => scale * (float)(random.NextDouble() * 2 - 1))], shape);
    }

    public static Value Conv(this Value x, string name, int channels, int size = 3, bool bias = true, int group = 1, int seed = 1)
    {
        Graph graph = x.Graph;
        long inputs = x.Shape![1].Length;
        Value weight = graph.AddConstant(name + ".weight", Random([channels, inputs / group, size, size], seed, 1f / MathF.Sqrt(inputs * size * size / group)));
        Value?[] values = bias ? [x, weight, graph.AddConstant(name + ".bias", Random([channels], seed + 1, 0.1f))] : [x, weight];
        long pad = size / 2;
        return graph.AddNode("Conv", values, new() { { "kernel_shape", new long[] { size, size } }, { "pads", new[] { pad, pad, pad, pad } }, { "group", group } }, name: name).Outputs[0];
    }

    public static Value Named(this Value x, string opType, string name, Attributes? attributes = null, params Value?[] others) =>
        x.Graph.AddNode(opType, [x, .. others], attributes, name: name).Outputs[0];

    public static Value Ints(this Graph graph, string name, params long[] values) => graph.AddConstant(name, Tensor.From<long>(values));

    public static Value Returns(this Value value)
    {
        value.Graph.AddOutput(value);
        return value;
    }

    /// <summary>A batch of random inputs in [-1, 1].</summary>
    public static IReadOnlyDictionary<string, Tensor> Batch(Graph graph, int seed, int count = 2) => graph.Inputs.ToDictionary(
        input => input.Name,
        input => Random(new Shape([.. input.Shape!.Select(dim => dim.IsKnown ? dim.Length : count)]), seed), StringComparer.Ordinal);

    public static QuantizationResult Quantize(Graph graph, QuantizationOptions? options = null) =>
        Quantizer.For(graph).Calibrate(Enumerable.Range(0, 16).Select(seed => Batch(graph, seed, 4))).RunAsync(options).GetAwaiter().GetResult();

    public static NodeReport Node(this QuantizationResult result, string name) => result.Report.Nodes.Single(node => node.Name == name);

    /// <summary>The nodes that ONNX Runtime really runs, as text such as com.microsoft.QLinearAdd, DequantizeLinear; casts of layout excluded.</summary>
    public static IReadOnlyList<string> RuntimeNodes(Graph quantized, out float difference)
    {
        string path = Path.Combine(Path.GetTempPath(), $"fewbit-{Guid.NewGuid():N}.onnx");
        try
        {
            byte[] model = OnnxFile.ToBytes(quantized);
            using var all = OnnxRuntimeSession.Load(s_library.Value, model, new() { OptimizedModelPath = path });
            using var off = OnnxRuntimeSession.Load(s_library.Value, model, new() { OptimizationLevel = GraphOptimizationLevel.Off });
            difference = 0;
            IReadOnlyDictionary<string, Tensor> batch = Batch(quantized, 99);
            IReadOnlyDictionary<string, Tensor> a = all.Run(batch), b = off.Run(batch);
            foreach ((string name, Tensor tensor) in a)
            {
                ReadOnlySpan<float> x = tensor.Span<float>(), y = b[name].Span<float>();
                for (int i = 0; i < x.Length; i++) difference = MathF.Max(difference, MathF.Abs(x[i] - y[i]));
            }
            return [.. OnnxFile.Load(path, new() { InferShapes = false, UpgradeOpset = false }).Nodes.Select(node => node.Domain.Length == 0 ? node.OpType : $"{node.Domain}.{node.OpType}")];
        }
        finally
        {
            File.Delete(path);
        }
    }

    /// <summary>Runs a graph in Fewbit's float engine.</summary>
    public static float[] Run(Graph graph, int seed = 99)
    {
        using var runner = new GraphRunner(graph);
        return [.. runner.Run(Batch(graph, seed)).Values.SelectMany(tensor => tensor.Span<float>().ToArray())];
    }
}
