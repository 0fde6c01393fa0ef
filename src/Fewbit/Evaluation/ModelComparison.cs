using System.Text.Json;
using System.Text.Json.Serialization;
using Fewbit.Calibration;
using Fewbit.Data;
using Fewbit.Graphs;
using Fewbit.Graphs.Execution;
using Fewbit.Graphs.Operators;
using Fewbit.Quantization;
using Fewbit.Tensors;

namespace Fewbit.Evaluation;

/// <summary>How far one quantized value lies from the float model's, all quantization before it included.</summary>
/// <param name="Value">Name of the value in the float model.</param>
/// <param name="Node">Name of the node that computes it; empty for an input of the model.</param>
/// <param name="OpType">Its operator.</param>
/// <param name="SignalToNoise">In decibels.</param>
/// <param name="Cosine">Cosine of the angle between both, -1 to 1.</param>
public sealed record LayerDifference(string Value, string Node, string OpType, double SignalToNoise, double Cosine)
{
    /// <summary>Name of the quantized model's node that it comes from: the Conv, where <see cref="Node"/> is a Relu that became part of it. Empty where that has no name.</summary>
    public string Layer { get; init; } = "";
}

/// <summary>What quantizing one node alone does to the outputs.</summary>
/// <param name="Node">Name of the node.</param>
/// <param name="OpType">Its operator.</param>
/// <param name="SignalToNoise">Of all float32 outputs together, in decibels.</param>
/// <param name="LabelFlips">Share of samples whose highest class changes; null where no output has class scores.</param>
public sealed record NodeSensitivity(string Node, string OpType, double SignalToNoise, double? LabelFlips);

/// <summary>Where the error of a quantized model is.</summary>
/// <param name="Samples">Samples compared.</param>
/// <param name="SignalToNoise">Of all float32 outputs together, in decibels.</param>
/// <param name="LabelFlips">Share of samples whose highest class changes; null where no output has class scores.</param>
/// <param name="Layers">Each quantized value, in the order of the graph.</param>
/// <param name="Sensitivity">Each quantized node alone, the most harmful first; empty where it was not asked for.</param>
/// <param name="Exclude">Names of the nodes that cause half of the single-node error together, the most harmful first, at most a tenth of all nodes (or 1).</param>
public sealed record ComparisonReport(
    long Samples, double SignalToNoise, double? LabelFlips, IReadOnlyList<LayerDifference> Layers, IReadOnlyList<NodeSensitivity> Sensitivity, IReadOnlyList<string> Exclude)
{
    private static readonly JsonSerializerOptions s_json = new()
    {
        WriteIndented = true, PropertyNamingPolicy = JsonNamingPolicy.CamelCase, NumberHandling = JsonNumberHandling.AllowNamedFloatingPointLiterals,
    };

    /// <summary>The report as JSON text.</summary>
    public string ToJson() => JsonSerializer.Serialize(this, s_json);

    /// <summary>Reads what <see cref="ToJson"/> wrote.</summary>
    /// <exception cref="InvalidDataException">The text is no such report.</exception>
    public static ComparisonReport FromJson(string json)
    {
        try
        {
            return JsonSerializer.Deserialize<ComparisonReport>(json, s_json) ?? throw new InvalidDataException("the comparison report is empty, expected the JSON of fewbit compare");
        }
        catch (JsonException e)
        {
            throw new InvalidDataException($"is no comparison report, expected the JSON of fewbit compare ({e.Message})", e);
        }
    }
}

/// <summary>Finds out which layers of a quantized model cause its error.</summary>
public static class ModelComparison
{
    /// <summary>Whether the models have values in common to compare.</summary>
    internal static bool HasValues(Graph original, Graph quantized) => QuantizedNodes.ComparedValues(Preparation.Prepare(original), quantized).Count > 0;

    /// <summary>Compares a quantized model with the float model it was made from.</summary>
    /// <param name="original">The float model.</param>
    /// <param name="quantized">Made from it by Fewbit, so that names agree; of other models only what has agreeing names is compared.</param>
    /// <param name="batches">Inputs; read once, and kept while sensitivities are measured.</param>
    /// <param name="sensitivity">Whether each node is also quantized alone: one pass over the batches a node.</param>
    /// <param name="progress">Told what is done.</param>
    /// <param name="cancellation">Stops between batches.</param>
    /// <exception cref="ArgumentException">There are no batches, or no value of the quantized model has a name of the float model.</exception>
    public static ComparisonReport Compare(
        Graph original, Graph quantized, IEnumerable<SampleBatch> batches, bool sensitivity = true, IProgress<QuantizationProgress>? progress = null, CancellationToken cancellation = default)
    {
        Graph prepared = Preparation.Prepare(original);
        IReadOnlyDictionary<Value, Value> pairs = QuantizedNodes.ComparedValues(prepared, quantized);
        if (pairs.Count == 0) throw new ArgumentException("no quantized value has a name of the float model: was the quantized model made from it?", nameof(quantized));
        SampleBatch[] kept = [.. batches];
        if (kept.Length == 0) throw new ArgumentException("there are no samples to compare on", nameof(batches));
        long samples = kept.Sum(batch => batch.Count);

        var references = new List<IReadOnlyDictionary<string, Tensor>>();
        var layers = CompareLayers(prepared, quantized, pairs, kept, references, progress, cancellation);
        (double noise, double? flips) = CompareOutputs(quantized, kept, references, cancellation);
        var single = new List<NodeSensitivity>();
        if (sensitivity) single = Sensitivities(prepared, quantized, kept, references, progress, cancellation);
        return new(samples, noise, flips, layers, single, Exclusions(single));
    }

    private static List<LayerDifference> CompareLayers(
        Graph prepared, Graph quantized, IReadOnlyDictionary<Value, Value> pairs, SampleBatch[] batches, List<IReadOnlyDictionary<string, Tensor>> references,
        IProgress<QuantizationProgress>? progress, CancellationToken cancellation)
    {
        var differences = pairs.ToDictionary(pair => pair.Key, _ => new OutputDifference());
        var wanted = pairs.Values.ToHashSet();
        ObservingRunner reference = new(prepared), other = new(quantized);
        long done = 0;
        foreach (SampleBatch batch in batches)
        {
            cancellation.ThrowIfCancellationRequested();
            var values = new Dictionary<Value, Tensor>();
            var outputs = new Dictionary<string, Tensor>(StringComparer.Ordinal);
            reference.Run(batch.Inputs, (value, tensor) =>
            {
                if (wanted.Contains(value)) values[value] = Real(tensor);
                if (value.IsOutput && tensor.Type == ElementType.Float32) outputs[value.Name] = tensor.Copy();
            });
            other.Run(batch.Inputs, (value, tensor) =>
            {
                if (pairs.TryGetValue(value, out Value? original) && values.TryGetValue(original, out Tensor? expected)) differences[value].Add(expected, Real(tensor));
            });
            references.Add(outputs);
            progress?.Report(new("comparing layers", done += batch.Count, batches.Sum(all => (long)all.Count)));
        }
        return [.. pairs.Where(pair => differences[pair.Key].Count > 0).Select(pair => new LayerDifference(
            pair.Value.Name, pair.Value.Producer?.Name ?? "", pair.Value.Producer?.OpType ?? "Input", differences[pair.Key].SignalToNoise, differences[pair.Key].Cosine)
        {
            Layer = QuantizedNodes.Source(pair.Key)?.Name ?? "",
        })];
    }

    /// <summary>A copy in float32.</summary>
    private static Tensor Real(Tensor tensor) => tensor.Type == ElementType.Float32 ? tensor.Copy() : Casting.Convert(tensor, ElementType.Float32);

    private static List<NodeSensitivity> Sensitivities(
        Graph prepared, Graph quantized, SampleBatch[] batches, List<IReadOnlyDictionary<string, Tensor>> references, IProgress<QuantizationProgress>? progress, CancellationToken cancellation)
    {
        var result = new List<NodeSensitivity>();
        Node[] nodes = [.. QuantizedNodes.Of(prepared, quantized)];
        foreach (Node node in nodes)
        {
            Graph alone = QuantizedNodes.Alone(prepared, node);
            (double noise, double? flips) = CompareOutputs(alone, batches, references, cancellation);
            result.Add(new(node.Name, node.OpType, noise, flips));
            progress?.Report(new("quantizing one node at a time", result.Count, nodes.Length));
        }
        return [.. result.OrderBy(node => node.SignalToNoise)];
    }

    private static (double SignalToNoise, double? LabelFlips) CompareOutputs(Graph graph, SampleBatch[] batches, List<IReadOnlyDictionary<string, Tensor>> references, CancellationToken cancellation)
    {
        using var runner = new GraphRunner(graph);
        var difference = new OutputDifference();
        var labels = new PairedClassification();
        for (int i = 0; i < batches.Length; i++)
        {
            cancellation.ThrowIfCancellationRequested();
            IReadOnlyDictionary<string, Tensor> outputs = runner.Run(batches[i].Inputs);
            foreach ((string name, Tensor expected) in references[i])
            {
                difference.Add(expected, outputs[name]);
                if (expected is { Rank: 2 } && expected.Shape[1] > 1) labels.Add(expected, outputs[name], batches[i].Count, null);
            }
        }
        return (difference.SignalToNoise, labels.Result is { Samples: > 0 } result ? 1 - result.Agreement : null);
    }

    /// <summary>The most harmful nodes, until they cause half of the summed error power.</summary>
    private static List<string> Exclusions(List<NodeSensitivity> nodes)
    {
        static double Power(NodeSensitivity node) => Math.Pow(10, -node.SignalToNoise / 10);
        double all = nodes.Sum(Power), sum = 0;
        var names = new List<string>();
        foreach (NodeSensitivity node in nodes)
        {
            if (names.Count >= Math.Max(1, nodes.Count / 10) || sum >= all / 2) break;
            sum += Power(node);
            names.Add(node.Node);
        }
        return names;
    }
}
