using Fewbit.Graphs;
using Fewbit.Graphs.Execution;
using Fewbit.Graphs.Passes.Quantized;
using Fewbit.Onnx;
using Fewbit.OnnxRuntime;
using Fewbit.Tensors;
using Fewbit.Testing;

namespace Fewbit.Runtime.Tests.Quantized;

/// <summary>Runs a model in Fewbit's exact evaluation and in ONNX Runtime, and compares codes, outputs and fused operators.</summary>
internal sealed class RuntimeComparison
{
    private static readonly Lazy<OnnxRuntimeLibrary> Library = new(() => OnnxRuntimeLibrary.Open(Oracles.OnnxRuntimeLibrary));

    /// <summary>Differing elements of each output, by name, and the largest difference.</summary>
    public required IReadOnlyDictionary<string, (long Differing, long Count, double Largest)> Outputs { get; init; }

    public required FusionReport Report { get; init; }

    /// <summary>Operators on codes by type and number, in Fewbit and in ONNX Runtime.</summary>
    public required string FewbitOperators { get; init; }

    public required string RuntimeOperators { get; init; }

    /// <summary>Compares a graph as it stands: all its outputs, on one input.</summary>
    public static RuntimeComparison Of(Graph graph, IReadOnlyDictionary<string, Tensor> feeds)
    {
        byte[] model = OnnxFile.ToBytes(graph);
        string optimized = Path.Combine(Path.GetTempPath(), $"fewbit-{Guid.NewGuid():N}.onnx");
        try
        {
            IReadOnlyDictionary<string, Tensor> expected;
            using (OnnxRuntimeSession session = OnnxRuntimeSession.Load(Library.Value, model, new() { Threads = 1, OptimizedModelPath = optimized })) expected = session.Run(feeds);
            Graph fused = OnnxFile.Load(model);
            FusionReport report = FuseQuantized.Apply(fused);
            using var runner = new GraphRunner(fused);
            IReadOnlyDictionary<string, Tensor> actual = runner.Run(feeds);
            return new()
            {
                Outputs = expected.ToDictionary(pair => pair.Key, pair => Difference(pair.Value, actual[pair.Key]), StringComparer.Ordinal),
                Report = report,
                FewbitOperators = Summary(fused),
                RuntimeOperators = Summary(OnnxFile.Load(optimized, new() { InferShapes = false })),
            };
        }
        finally
        {
            File.Delete(optimized);
        }
    }

    /// <summary>Fails unless all outputs are equal to the last bit and both engines fused the same operators.</summary>
    public void ExpectEqual()
    {
        Assert.True(Outputs.All(output => output.Value.Differing == 0), Describe());
        Assert.True(RuntimeOperators == FewbitOperators, Describe());
    }

    /// <summary>
    /// Fails unless both engines fused the same operators, and the outputs are equal; where a node stays float, one output in a thousand may differ by one code:
    /// two orders of a float sum round differently.
    /// </summary>
    public void ExpectSameOperatorsAndCodes()
    {
        if (Report.Float.Any()) Assert.All(Outputs, output => Assert.True(output.Value.Differing <= output.Value.Count / 1000 + 1, Describe()));
        else Assert.True(Outputs.All(output => output.Value.Differing == 0), Describe());
        Assert.True(RuntimeOperators == FewbitOperators, Describe());
    }

    private string Describe() => string.Join("; ", Outputs.Select(output => $"{output.Key}: {output.Value.Differing} of {output.Value.Count} differ, by up to {output.Value.Largest}"))
        + $" | Fewbit: {FewbitOperators} | ONNX Runtime: {RuntimeOperators} | {string.Join(", ", Report.Nodes)}";

    private static (long Differing, long Count, double Largest) Difference(Tensor expected, Tensor actual)
    {
        Assert.Equal(expected.Type, actual.Type);
        Assert.Equal(expected.Shape, actual.Shape);
        long differing = 0;
        double largest = 0;
        double[] a = Numbers(expected), b = Numbers(actual);
        for (int i = 0; i < a.Length; i++)
        {
            if (a[i].Equals(b[i])) continue;
            differing++;
            largest = Math.Max(largest, Math.Abs(a[i] - b[i]));
        }
        return (differing, a.Length, largest);
    }

    private static double[] Numbers(Tensor tensor) => tensor.Type switch
    {
        ElementType.Float32 => Array.ConvertAll(tensor.Span<float>().ToArray(), value => (double)value),
        ElementType.UInt8 => Array.ConvertAll(tensor.Span<byte>().ToArray(), value => (double)value),
        ElementType.Int8 => Array.ConvertAll(tensor.Span<sbyte>().ToArray(), value => (double)value),
        ElementType.UInt16 => Array.ConvertAll(tensor.Span<ushort>().ToArray(), value => (double)value),
        ElementType.Int16 => Array.ConvertAll(tensor.Span<short>().ToArray(), value => (double)value),
        ElementType.Int32 => Array.ConvertAll(tensor.Span<int>().ToArray(), value => (double)value),
        ElementType.Int64 => Array.ConvertAll(tensor.Span<long>().ToArray(), value => (double)value),
        _ => throw new ArgumentException($"{tensor} is not compared", nameof(tensor)),
    };

    private static string Summary(Graph graph) => string.Join(" ", graph.Nodes
        .Where(node => node.OpType.StartsWith("QLinear", StringComparison.Ordinal) || node.OpType is "QGemm" or "MatMulIntegerToFloat" or "QuantizeLinear" or "DequantizeLinear")
        .GroupBy(node => node.OpType).OrderBy(group => group.Key, StringComparer.Ordinal).Select(group => $"{group.Key}*{group.Count()}"));
}
