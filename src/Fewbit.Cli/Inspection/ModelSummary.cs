using Fewbit.Data;
using Fewbit.Graphs;
using Fewbit.Models;
using Fewbit.Onnx;
using Fewbit.Quantization;
using Fewbit.Tensors;

namespace Fewbit.Cli.Inspection;

/// <summary>An input or output as a person reads it.</summary>
/// <param name="Name">Name in the model.</param>
/// <param name="Type">Element type.</param>
/// <param name="Shape">Shape; null where not even the rank is known.</param>
internal sealed record ValueSummary(string Name, string Type, IReadOnlyList<string>? Shape)
{
    public static ValueSummary Of(Value value) => new(value.Name, value.Type.Name(), value.Shape is { } shape ? [.. shape.Select(dim => dim.ToString())] : null);

    public override string ToString() => $"'{Name}' {Type} {(Shape is null ? "of unknown rank" : $"[{string.Join(", ", Shape)}]")}";
}

/// <summary>What an input asks of pictures.</summary>
/// <param name="Input">Name of the input.</param>
/// <param name="Layout">NCHW, NHWC, or rows of numbers.</param>
/// <param name="Channels">1 or 3.</param>
/// <param name="Height">Rows; null where any number will do.</param>
/// <param name="Width">Columns; null where any number will do.</param>
/// <param name="Presets">Names of the presets whose statistics fit the channels.</param>
/// <param name="Stated">Preprocessing that the model's metadata states; null where it states none.</param>
internal sealed record PictureSummary(string Input, string Layout, int Channels, int? Height, int? Width, IReadOnlyList<string> Presets, Preprocessing? Stated);

/// <summary>What an int8 quantization would make of a model.</summary>
/// <param name="Nodes">Every node; empty where the model cannot be quantized.</param>
/// <param name="Problem">Why it cannot be quantized; null where it can.</param>
internal sealed record QuantizableSummary(IReadOnlyList<NodeReport> Nodes, string? Problem)
{
    public static QuantizableSummary Of(Graph graph)
    {
        try
        {
            return new(Quantizer.For(graph).Preview(), null);
        }
        catch (InvalidDataException problem)
        {
            return new([], problem.Message);
        }
    }
}

/// <summary>What a model file holds.</summary>
internal sealed record ModelSummary(
    string File, long FileBytes, long ExternalBytes, IReadOnlyDictionary<string, int> Opsets, long IrVersion, string Producer,
    IReadOnlyList<ValueSummary> Inputs, IReadOnlyList<ValueSummary> Outputs, PictureSummary? Picture,
    long Parameters, long ParameterBytes, long? MultiplyAdds, string MultiplyAddsFor, IReadOnlyDictionary<string, int> Operators, IReadOnlyList<string> Unsupported,
    QuantizableSummary Quantizable, IReadOnlyList<LayerCost> Layers, IReadOnlyDictionary<string, string> Metadata)
{
    public static ModelSummary Of(string path, Graph graph, Shape? inputShape)
    {
        OnnxModelInfo info = OnnxFile.Describe(graph);
        var external = new FileInfo(path + ".data");
        Graph sized = Sizing.OneSample(graph, inputShape);
        LayerCost[] layers = [.. sized.Nodes.Select(LayerCost.Of).OfType<LayerCost>()];
        Tensor[] constants = [.. Constants(graph)];
        return new(
            path, new FileInfo(path).Length, external.Exists ? external.Length : 0, new Dictionary<string, int>(graph.Opsets) { [""] = info.OpsetVersion }, info.IrVersion, $"{info.ProducerName} {info.ProducerVersion}".Trim(),
            [.. FedInputs(graph).Select(ValueSummary.Of)], [.. graph.Outputs.Select(ValueSummary.Of)], PictureOf(graph),
            constants.Sum(tensor => tensor.ElementCount), constants.Sum(tensor => tensor.ByteCount),
            layers.All(layer => layer.MultiplyAdds is not null) ? layers.Sum(layer => layer.MultiplyAdds!.Value) : null,
            string.Join(", ", FedInputs(sized).Select(input => input.Shape?.ToString() ?? "?")),
            graph.Nodes.CountBy(node => node.Domain.Length == 0 ? node.OpType : $"{node.Domain}.{node.OpType}").OrderByDescending(pair => pair.Value).ThenBy(pair => pair.Key, StringComparer.Ordinal).ToDictionary(),
            [.. graph.Nodes.Where(node => !node.IsSupported).Select(node => node.OpType).Distinct().Order(StringComparer.Ordinal)],
            QuantizableSummary.Of(graph), layers, graph.Metadata);
    }

    /// <summary>Inputs that a run must be given.</summary>
    public static IEnumerable<Value> FedInputs(Graph graph) => graph.Inputs.Where(input => input.Constant is null);

    private static PictureSummary? PictureOf(Graph graph)
    {
        if (FedInputs(graph).ToArray() is not [var only] || PictureInput.TryFrom(new(only.Name, only.Type, only.Shape)) is not { } picture) return null;
        string layout = picture.Rank switch
        {
            2 => "rows of numbers",
            3 => "NHW (grey)",
            _ => picture.IsNhwc ? "NHWC" : "NCHW",
        };
        // The other presets are those of detectors and of super-resolution.
        bool givesClassScores = graph.Outputs is [{ Shape.Rank: 2 }];
        return new(picture.Name, layout, picture.Channels, picture.Height, picture.Width,
            [.. (givesClassScores ? Preprocessing.ClassifierPresets : Preprocessing.Presets).Where(preset => preset.Fits(picture.Channels)).Select(preset => preset.Name)], PreprocessingMetadata.Read(graph));
    }

    private static IEnumerable<Tensor> Constants(Graph graph) => graph.Constants.Select(value => value.Constant!)
        .Concat(graph.Nodes.Where(node => node.Is("Constant")).Select(node => node.Attributes.Find("value")).OfType<Tensor>());
}
