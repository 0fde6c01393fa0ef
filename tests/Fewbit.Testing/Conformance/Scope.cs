using Fewbit.Onnx.Protos;
using Fewbit.Onnx.Reading;

namespace Fewbit.Testing.Conformance;

/// <summary>Which tests of the suite concern the engine at all.</summary>
internal static class Scope
{
    private const int OldestOpset = 7, NewestOpset = 27;

    /// <summary>Why a model is none of the engine's concern; null where it is.</summary>
    public static string? WhyNot(ModelProto model)
    {
        foreach (OperatorSetIdProto import in model.OpsetImport)
        {
            string domain = ModelReader.DomainName(import.Domain);
            if (domain.Length == 0 && import.Version is < OldestOpset or > NewestOpset) return $"opset {import.Version}";
            if (domain.StartsWith("ai.onnx", StringComparison.Ordinal)) return $"domain {domain}";
        }
        return model.Graph.Input.Concat(model.Graph.Output).Select(value => WhyNot(value)).FirstOrDefault(reason => reason is not null)
            ?? WhyNot(model.Graph);
    }

    private static string? WhyNot(ValueInfoProto value) =>
        value.Type is null || value.Type.ValueCase == TypeProto.ValueOneofCase.None ? null
        : value.Type.ValueCase != TypeProto.ValueOneofCase.TensorType ? $"'{value.Name}' is no tensor"
        : value.Type.TensorType.ElemType == (int)TensorProto.Types.DataType.String ? $"'{value.Name}' is text" : null;

    private static string? WhyNot(GraphProto graph)
    {
        foreach (NodeProto node in graph.Node)
        {
            if (node.OpType.StartsWith("Sequence", StringComparison.Ordinal) || node.OpType.StartsWith("Optional", StringComparison.Ordinal) || node.OpType is "SplitToSequence" or "ConcatFromSequence")
                return $"{node.OpType} works on values that are no tensors";
            if (node.Attribute.Any(attribute => attribute.SparseTensor is not null || attribute.Tp is not null)) return $"{node.OpType} has an attribute that is no dense tensor";
            if (node.Attribute.Any(attribute => attribute.T?.DataType == (int)TensorProto.Types.DataType.String || (node.OpType == "Constant" && (attribute.HasS || attribute.Strings.Count > 0)))) return $"{node.OpType} holds text";
            if (FunctionInliner.Subgraphs(node).Select(body => WhyNot(body)).FirstOrDefault(reason => reason is not null) is { } inner) return inner;
        }
        return null;
    }
}
