using Fewbit.Onnx.Protos;
using Fewbit.Onnx.Reading;

namespace Fewbit.Testing.Conformance;

/// <summary>Where a test of the suite is counted.</summary>
public enum Group
{
    /// <summary>Standard operators of opset 7 to 26 on tensors of numbers.</summary>
    InScope,
    /// <summary>Text, sequences and optional values, image files, training, random numbers.</summary>
    LeftOut,
    /// <summary>An opset below 7.</summary>
    Older,
    /// <summary>An opset above 26.</summary>
    Newer,
    /// <summary>Operators of other domains alone.</summary>
    OtherDomain,
}

/// <summary>Which tests of the suite concern the engine.</summary>
internal static class Scope
{
    private const int OldestOpset = 7, NewestOpset = 26;
    private const int Text = (int)TensorProto.Types.DataType.String;

    /// <summary>The group of a test, and why it is not in scope.</summary>
    /// <param name="model">The model.</param>
    /// <param name="given">The tensor that the test feeds to an input of the model; null where there is none.</param>
    public static (Group Group, string Reason) Of(ModelProto model, Func<string, TensorProto?> given)
    {
        if (model.OpsetImport.Select(import => import.Domain).FirstOrDefault(domain => domain.StartsWith("ai.onnx.preview.training", StringComparison.Ordinal)) is { } training) return (Group.LeftOut, $"training (domain {training})");
        if (LeftOut(model, given) is { } reason) return (Group.LeftOut, reason);
        OperatorSetIdProto? standard = model.OpsetImport.FirstOrDefault(import => ModelReader.DomainName(import.Domain).Length == 0);
        return standard switch
        {
            null => (Group.OtherDomain, $"domain {string.Join(", ", model.OpsetImport.Select(import => import.Domain))}"),
            { Version: < OldestOpset } => (Group.Older, $"opset {standard.Version}"),
            { Version: > NewestOpset } => (Group.Newer, $"opset {standard.Version}"),
            _ => (Group.InScope, ""),
        };
    }

    /// <summary>All nodes of a model: of its graph, its functions and the graphs in both.</summary>
    public static IEnumerable<NodeProto> Nodes(ModelProto model) => model.Graph.Node.Concat(model.Functions.SelectMany(function => function.Node)).SelectMany(WithInner);

    private static IEnumerable<NodeProto> WithInner(NodeProto node) => FunctionInliner.Subgraphs(node).SelectMany(body => body.Node).SelectMany(WithInner).Prepend(node);

    private static string? LeftOut(ModelProto model, Func<string, TensorProto?> given) =>
        Graphs(model).SelectMany(graph => graph.Input.Concat(graph.Output)).Select(LeftOut).FirstOrDefault(reason => reason is not null)
        ?? Graphs(model).SelectMany(graph => graph.Initializer).Where(tensor => tensor.DataType == Text).Select(tensor => $"text ('{tensor.Name}')").FirstOrDefault()
        ?? Nodes(model).Select(node => LeftOut(node, name => model.Graph.Initializer.FirstOrDefault(tensor => tensor.Name == name) ?? given(name))).FirstOrDefault(reason => reason is not null);

    private static IEnumerable<GraphProto> Graphs(ModelProto model) => Nodes(model).SelectMany(FunctionInliner.Subgraphs).Prepend(model.Graph);

    private static string? LeftOut(ValueInfoProto value) => value.Type?.ValueCase switch
    {
        null or TypeProto.ValueOneofCase.None => null,
        TypeProto.ValueOneofCase.TensorType => value.Type.TensorType.ElemType == Text ? $"text ('{value.Name}')" : null,
        _ => $"sequence or optional ('{value.Name}')",
    };

    private static string? LeftOut(NodeProto node, Func<string, TensorProto?> tensorOf) => node.OpType switch
    {
        _ when node.OpType.Contains("Sequence", StringComparison.Ordinal) && node.OpType != "ReverseSequence" => $"sequence or optional ({node.OpType})",
        _ when node.OpType.StartsWith("Optional", StringComparison.Ordinal) => $"sequence or optional ({node.OpType})",
        _ when node.OpType.StartsWith("Random", StringComparison.Ordinal) || node.OpType is "Bernoulli" or "Multinomial" => $"random numbers ({node.OpType})",
        "ImageDecoder" => "image files (ImageDecoder)",
        "Dropout" when node.Input.Count > 2 && node.Input[2].Length > 0 && tensorOf(node.Input[2]) is { } training && IsTrue(training) => "training (Dropout)",
        "Cast" when node.Attribute.Any(attribute => attribute.Name == "to" && attribute.I == Text) => "text (Cast)",
        "Constant" when node.Attribute.Any(attribute => attribute.T?.DataType == Text || attribute.Name.StartsWith("value_string", StringComparison.Ordinal)) => "text (Constant)",
        _ => null,
    };

    private static bool IsTrue(TensorProto tensor) => tensor.HasRawData ? tensor.RawData.Span is [not 0, ..] : tensor.Int32Data is [not 0, ..];
}
