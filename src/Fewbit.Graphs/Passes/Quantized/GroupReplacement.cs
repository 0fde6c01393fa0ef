using Fewbit.Graphs.Operators;

namespace Fewbit.Graphs.Passes.Quantized;

/// <summary>Puts one node on codes in the place of a group.</summary>
internal static class GroupReplacement
{
    /// <returns>Name of the operator that computes the group now.</returns>
    public static string Apply(Graph graph, QuantizedGroup group, Replacement replacement)
    {
        Node target = group.Target;
        int index = graph.IndexOf(target);
        (string domain, string opType, Value?[] inputs) = replacement == Replacement.SameOperator ? (target.Domain, target.OpType, CodesOfInputs(group)) : OnCodes(group);
        Attributes attributes = AttributesOf(target, opType);
        Value[] outputs = group.Quantizers.Count == 0 ? [.. target.Outputs] : [.. group.Quantizers.Select(quantizer => quantizer.Outputs[0])];
        Node[] removed = [.. group.Quantizers, .. group.Activation is null ? [] : (Node[])[group.Activation], target, .. group.Dequantizers];
        index -= removed.Count(node => graph.IndexOf(node) < index);
        string name = target.Name;
        foreach (Node node in removed) graph.Remove(node);
        graph.InsertNode(index, domain, opType, name, inputs, outputs, attributes);
        return opType;
    }

    private static (string Domain, string OpType, Value?[] Inputs) OnCodes(QuantizedGroup group)
    {
        IReadOnlyList<Node> parts = group.Dequantizers;
        Value?[] result = group.Quantizers.Count == 0 ? [] : Constants(group.Quantizers[0]);
        const string microsoft = OperatorTable.MicrosoftDomain;
        return group.Target.OpType switch
        {
            "Conv" => ("", "QLinearConv", [.. Triple(parts[0]), .. Triple(parts[1]), .. result, .. Codes(parts.ElementAtOrDefault(2))]),
            "MatMul" when result.Length == 0 => (microsoft, "MatMulIntegerToFloat",
                [parts[0].Inputs[0], parts[1].Inputs[0], parts[0].Inputs[1], parts[1].Inputs[1], parts[0].Input(2), parts[1].Input(2)]),
            "MatMul" => ("", "QLinearMatMul", [.. Triple(parts[0]), .. Triple(parts[1]), .. result]),
            "Gemm" => (microsoft, "QGemm", [.. Triple(parts[0]), .. Triple(parts[1]), parts.ElementAtOrDefault(2)?.Inputs[0], .. result]),
            "Concat" => (microsoft, "QLinearConcat", [.. result, .. parts.SelectMany(Triple)]),
            "Where" => (microsoft, "QLinearWhere", [group.Target.Inputs[0], .. Triple(parts[0]), .. Triple(parts[1]), .. result]),
            string opType => (microsoft, "QLinear" + opType, [.. parts.SelectMany(Triple), .. result]),
        };
    }

    private static Value?[] CodesOfInputs(QuantizedGroup group) =>
        [.. group.Target.Inputs.Select(input => input?.Producer is { } producer && producer.IsDequantizer() ? producer.Inputs[0] : input)];

    private static Value?[] Triple(Node dequantizer) => [dequantizer.Inputs[0], .. Constants(dequantizer)];

    private static Value?[] Constants(Node node) => [node.Inputs[1], node.Input(2)];

    private static Value?[] Codes(Node? dequantizer) => dequantizer is null ? [] : [dequantizer.Inputs[0]];

    private static Attributes AttributesOf(Node target, string opType)
    {
        Attributes attributes = target.Attributes.Clone(body => body);
        if (opType == "QGemm") attributes.Remove("beta");
        if (opType == "QLinearSoftmax") attributes.Set("opset", (long)target.OpsetVersion);
        return attributes;
    }
}
