using Fewbit.Data;
using Fewbit.Evaluation;
using Fewbit.Graphs;
using Fewbit.Tensors;

namespace Fewbit.Verification;

/// <summary>The codes of one quantizer in two engines.</summary>
/// <param name="Name">Name of the codes in the quantized model.</param>
/// <param name="IsIntegerPath">True where only integer and copying nodes lie between the model's inputs and this quantizer: then codes must be equal.</param>
/// <param name="Count">Codes compared.</param>
/// <param name="Differing">Codes that differ.</param>
/// <param name="MaxDifference">Largest difference of two codes.</param>
/// <param name="LocalDiffering">Codes that differ where both engines are given the second one's codes of all quantizers before this one: what arises here, not upstream.</param>
/// <param name="LocalMaxDifference">Largest such difference.</param>
public sealed record CodeDifference(string Name, bool IsIntegerPath, long Count, long Differing, int MaxDifference, long LocalDiffering, int LocalMaxDifference)
{
    /// <summary>Differing codes of all, 0 to 1.</summary>
    public double Share => Count == 0 ? 0 : (double)Differing / Count;

    /// <summary>Codes of all that differ although what is before them is equal, 0 to 1.</summary>
    public double LocalShare => Count == 0 ? 0 : (double)LocalDiffering / Count;
}

/// <summary>One quantized model in two engines.</summary>
/// <param name="Samples">Samples run.</param>
/// <param name="Codes">Each quantizer, in the order of the graph.</param>
/// <param name="Outputs">Difference of each float32 output, by name.</param>
/// <param name="Labels">Rows of class scores compared; 0 where no output has them.</param>
/// <param name="DifferingLabels">Rows whose highest class differs.</param>
/// <param name="ProbesChangeOutputs">True where reading the codes changed the ordinary outputs of the second engine: then its codes are not those of an ordinary run.</param>
public sealed record VerificationResult(
    long Samples, IReadOnlyList<CodeDifference> Codes, IReadOnlyDictionary<string, OutputDifference> Outputs, long Labels, long DifferingLabels, bool ProbesChangeOutputs)
{
    /// <summary>Quantizers on integer paths with a code that differs.</summary>
    public int UnequalIntegerQuantizers => Codes.Count(codes => codes.IsIntegerPath && codes.Differing > 0);

    /// <summary>Share of differing codes over all quantizers.</summary>
    public double DifferingShare => Codes.Sum(codes => codes.Count) is > 0 and var all ? (double)Codes.Sum(codes => codes.Differing) / all : 0;

    /// <summary>Share of differing codes behind float nodes.</summary>
    public double DifferingShareBehindFloat =>
        Codes.Where(codes => !codes.IsIntegerPath).Sum(codes => codes.Count) is > 0 and var all ? (double)Codes.Where(codes => !codes.IsIntegerPath).Sum(codes => codes.Differing) / all : 0;

    /// <summary>Share of codes behind float nodes that differ although all codes before them are equal.</summary>
    public double LocalDifferingShareBehindFloat =>
        Codes.Where(codes => !codes.IsIntegerPath).Sum(codes => codes.Count) is > 0 and var all ? (double)Codes.Where(codes => !codes.IsIntegerPath).Sum(codes => codes.LocalDiffering) / all : 0;

    /// <summary>Largest difference of two codes where all codes before them are equal.</summary>
    public int LocalMaxCodeDifference => Codes.Select(codes => codes.LocalMaxDifference).DefaultIfEmpty(0).Max();

    /// <summary>Largest difference of two codes.</summary>
    public int MaxCodeDifference => Codes.Select(codes => codes.MaxDifference).DefaultIfEmpty(0).Max();
}

/// <summary>Runs a quantized model in two engines and compares codes, labels and outputs.</summary>
public static class CodeComparison
{
    private const string GivenSuffix = "_given";

    /// <summary>Compares on all batches. The codes are read as extra outputs of a copy of the model; one whose weights alone are quantized has none, and only its outputs are compared.</summary>
    /// <param name="quantized">The quantized model.</param>
    /// <param name="engine">Loads a model into the first engine.</param>
    /// <param name="runtime">Loads a model into the second, such as ONNX Runtime.</param>
    /// <param name="batches">Inputs.</param>
    /// <param name="progress">Told the samples done after each batch.</param>
    /// <param name="cancellation">Stops between batches.</param>
    /// <exception cref="ArgumentException">There are no batches.</exception>
    public static VerificationResult Compare(
        Graph quantized, Func<Graph, IModelRunner> engine, Func<Graph, IModelRunner> runtime, IEnumerable<SampleBatch> batches,
        IProgress<long>? progress = null, CancellationToken cancellation = default)
    {
        Graph probed = WithCodes(quantized, out IReadOnlyList<(string Name, bool IsIntegerPath)> quantizers);
        using IModelRunner first = engine(probed), second = runtime(probed), plain = runtime(quantized), local = engine(WithCodesGiven(quantized, quantizers.Select(quantizer => quantizer.Name)));
        var codes = quantizers.ToDictionary(quantizer => quantizer.Name, quantizer => new Tally(quantizer.Name, quantizer.IsIntegerPath), StringComparer.Ordinal);
        var outputs = plain.Outputs.Where(output => output.Type == ElementType.Float32).ToDictionary(output => output.Name, _ => new OutputDifference(), StringComparer.Ordinal);
        long samples = 0, labels = 0, differing = 0;
        bool isChanged = false;
        foreach (SampleBatch batch in batches)
        {
            cancellation.ThrowIfCancellationRequested();
            IReadOnlyDictionary<string, Tensor> a = first.Run(batch.Inputs), b = second.Run(batch.Inputs), ordinary = plain.Run(batch.Inputs);
            IReadOnlyDictionary<string, Tensor> c = local.Run(Given(batch, b, codes.Keys, local));
            foreach (Tally tally in codes.Values) tally.Add(a[tally.Name], b[tally.Name], c[tally.Name]);
            foreach ((string name, OutputDifference difference) in outputs)
            {
                difference.Add(ordinary[name], a[name]);
                isChanged |= !ordinary[name].Bytes.SequenceEqual(b[name].Bytes);
                if (ordinary[name].Rank != 2 || ordinary[name].Shape[1] < 2) continue;
                int classes = (int)a[name].Shape[1];
                for (int row = 0; row < batch.Count; row++)
                {
                    labels++;
                    if (Scores.ArgMax(ordinary[name].Span<float>().Slice(row * classes, classes)) != Scores.ArgMax(a[name].Span<float>().Slice(row * classes, classes))) differing++;
                }
            }
            samples += batch.Count;
            progress?.Report(samples);
        }
        if (samples == 0) throw new ArgumentException("there are no samples to compare on", nameof(batches));
        return new(samples, [.. quantizers.Select(quantizer => codes[quantizer.Name].Result)], outputs, labels, differing, isChanged);
    }

    /// <summary>A copy of a quantized model that returns the codes of every quantizer beside its outputs.</summary>
    public static Graph WithCodes(Graph quantized, out IReadOnlyList<(string Name, bool IsIntegerPath)> quantizers)
    {
        Graph probed = quantized.Clone();
        var paths = new IntegerPaths(quantized);
        var found = new List<(string, bool)>();
        foreach (Node node in probed.Nodes.Where(node => node.Is("QuantizeLinear")))
        {
            Value codes = QuantizedGraphs.FinalCodes(node.Outputs[0]);
            if (codes.IsOutput) continue;
            probed.AddOutput(codes);
            found.Add((codes.Name, paths.IsInteger(codes.Name)));
        }
        quantizers = found;
        return probed;
    }

    /// <summary>A copy of a quantized model that is given the codes of every quantizer, and returns those that follow from what is before each.</summary>
    private static Graph WithCodesGiven(Graph quantized, IEnumerable<string> names)
    {
        Graph graph = quantized.Clone();
        foreach (string name in names)
        {
            Value codes = graph.Find(name)!;
            Use[] readers = [.. codes.Uses];
            if (!codes.IsOutput) graph.AddOutput(codes);
            Value given = graph.AddInput(name + GivenSuffix, codes.Type, codes.Shape);
            foreach (Use use in readers) use.Node.SetInput(use.Index, given);
        }
        return graph;
    }

    private static Dictionary<string, Tensor> Given(SampleBatch batch, IReadOnlyDictionary<string, Tensor> codes, IEnumerable<string> names, IModelRunner runner)
    {
        var inputs = new Dictionary<string, Tensor>(batch.Inputs, StringComparer.Ordinal);
        foreach (string name in names) inputs[name + GivenSuffix] = codes[name];
        return inputs.Where(pair => runner.Inputs.Any(input => input.Name == pair.Key)).ToDictionary(StringComparer.Ordinal);
    }

    private sealed class Tally(string name, bool isIntegerPath)
    {
        private long _count, _differing, _localDiffering;
        private int _max, _localMax;

        public string Name => name;

        public CodeDifference Result => new(name, isIntegerPath, _count, _differing, _max, _localDiffering, _localMax);

        public void Add(Tensor first, Tensor second, Tensor local)
        {
            _count += second.ElementCount;
            Count(first, second, ref _differing, ref _max);
            Count(local, second, ref _localDiffering, ref _localMax);
        }

        private void Count(Tensor a, Tensor b, ref long differing, ref int max)
        {
            if (a.Type != b.Type || a.Shape != b.Shape) throw new InvalidDataException($"codes '{name}' are {a} in one engine and {b} in the other");
            if (a.Bytes.SequenceEqual(b.Bytes)) return;
            int[] x = Formats.AffineQuantizer.Unpack(a), y = Formats.AffineQuantizer.Unpack(b);
            for (int i = 0; i < x.Length; i++)
            {
                int difference = Math.Abs(x[i] - y[i]);
                if (difference > 0) differing++;
                max = Math.Max(max, difference);
            }
        }
    }
}
