using System.Runtime.InteropServices;
using Fewbit.Graphs;
using Fewbit.Graphs.Operators.Quantized;
using Fewbit.Graphs.Passes.Quantized;
using Fewbit.Tensors;

namespace Fewbit.Targets;

/// <summary>A rule that a target has for written models.</summary>
/// <param name="Name">A short name.</param>
/// <param name="Statement">What must hold.</param>
/// <param name="Find">The nodes for which it does not, and why.</param>
internal sealed record TargetRule(string Name, string Statement, Func<Graph, IEnumerable<(Node Node, string Text)>> Find);

/// <summary>The rules of each target as a table.</summary>
/// <remarks>
/// ONNX Runtime: the conditions of its QDQ selectors and of the kernels' tables. TensorRT: "Explicit Quantization" and "Q/DQ Layer-Placement Recommendations" of its
/// documentation, and the checks of its ONNX parser, which refuses zero points other than 0 and DequantizeLinear of int32.
/// </remarks>
internal static class TargetRules
{
    private static readonly Dictionary<string, IReadOnlyList<TargetRule>> s_tables = new(StringComparer.Ordinal);

    /// <summary>The rules of a target.</summary>
    public static IReadOnlyList<TargetRule> Of(ExportTarget target)
    {
        lock (s_tables)
        {
            if (!s_tables.TryGetValue(target.Name, out IReadOnlyList<TargetRule>? rules)) s_tables[target.Name] = rules = [.. Common(target), .. target.IsOnnxRuntime ? OnnxRuntime(target) : TensorRt(target)];
            return rules;
        }
    }

    private static IEnumerable<TargetRule> Common(ExportTarget target) =>
    [
        new("code types", $"activation codes are {Listed(target.ActivationCodes)}, weight codes {Listed(target.WeightCodes)}", model => CodeTypes(model, target)),
        new("scales", "scales are positive, normal constants", Scales),
        new("per tensor", "an activation has one scale and one zero point", PerTensor),
        new("channel axis", "the scales of a weight run along its output channels, as many as these", ChannelAxis),
        new("weight zero points", "zero points of weights are 0", WeightZeroPoints),
        new("pair", "the codes of a QuantizeLinear go into DequantizeLinear with its own scale and zero point, or into a node that moves or clips codes", Pairs),
    ];

    private static IEnumerable<TargetRule> OnnxRuntime(ExportTarget target)
    {
        yield return new("int32 bias", "the bias of a layer on codes is int32 with input scale * weight scale and zero point 0", IntegerBiases);
        yield return new("one sign", "int8 activations go with int8 weights", OneSign);
        yield return new("fused", "a layer whose inputs are all dequantized and whose result is quantized meets every condition of the fusion", model => Unfused(model, target.Host == Architecture.Arm64));
        yield return new("weight range", $"|code| of an 8-bit weight is at most {target.LargestWeightCode}", model => WeightRange(model, target.LargestWeightCode));
        if (target.LargestWeightCode < 127) yield return new("pair sums", $"no two products of 8 bits exceed {Saturation.Limit}", PairSums);
    }

    private static IEnumerable<TargetRule> TensorRt(ExportTarget target)
    {
        yield return new("zero points", "zero points of activations are 0", ActivationZeroPoints);
        yield return new("float bias", "biases are float: a DequantizeLinear of int32 is refused", FloatBiases);
        yield return new("both inputs", "a layer whose weight has codes reads codes too", BothInputs);
        yield return new("dedicated pairs", "a DequantizeLinear has one reader, and so has a QuantizeLinear", Dedicated);
        yield return new("standard operators", "no operator computes on codes itself, and none is of another domain", StandardOperators);
        yield return new("spatial dimensions", "a Conv with codes has two or three spatial dimensions", SpatialDimensions);
        yield return new("opset", $"the opset is at most {target.MaxOpset}", model => model.OpsetVersion("") > target.MaxOpset && model.Nodes.Count > 0
            ? [(model.Nodes[0], $"the model states opset {model.OpsetVersion("")}, expected {target.MaxOpset} or less")] : []);
    }

    private static IEnumerable<(Node, string)> CodeTypes(Graph model, ExportTarget target)
    {
        foreach (Node node in model.Nodes)
        {
            bool isWeight = node.IsDequantizer() && node.Inputs[0] is { Constant: not null };
            if (!isWeight && !node.IsQuantizer() && !node.IsDequantizer()) continue;
            ElementType type = node.CodeType();
            IReadOnlyList<ElementType> allowed = isWeight ? target.WeightCodes : target.ActivationCodes;
            // int32 is for biases, which have a rule of their own.
            if (type != ElementType.Int32 && !allowed.Contains(type)) yield return (node, $"its codes are {type.Name()}, expected {Listed(allowed)}");
        }
    }

    private static IEnumerable<(Node, string)> Scales(Graph model)
    {
        foreach (Node node in Quantizers(model))
        {
            if (node.Input(1) is not { IsConstant: true, Constant: { Type: ElementType.Float32 } scales }) yield return (node, "its scale is no float32 constant");
            else if (scales.Span<float>().ToArray().Any(scale => !(scale > 0) || !float.IsNormal(scale))) yield return (node, "a scale is not a positive, normal number");
        }
    }

    private static IEnumerable<(Node, string)> PerTensor(Graph model)
    {
        foreach (Node node in Quantizers(model).Where(node => !IsOfConstant(node)))
        {
            if (node.Input(1)?.Constant is { ElementCount: not 1 } scales) yield return (node, $"it has {scales.ElementCount} scales for an activation, expected one");
        }
    }

    private static IEnumerable<(Node, string)> ChannelAxis(Graph model)
    {
        foreach (WeightedLayer layer in WeightedLayer.Find(model))
        {
            // Blocks have scales of the weight's own rank.
            if (layer.ScaleAxis is not { } axis || layer.Weight.Inputs[1]!.Constant!.Rank > 1) continue;
            long count = layer.Weight.Inputs[1]!.Constant!.ElementCount;
            if (axis != layer.ChannelAxis || count != layer.Channels) yield return (layer.Weight, $"it has {count} scales along axis {axis}, expected {layer.Channels} along axis {layer.ChannelAxis}, the output channels of {layer.Node}");
        }
    }

    private static IEnumerable<(Node, string)> WeightZeroPoints(Graph model)
    {
        // Blocks of weights alone, without codes in front of the layer, may be affine.
        foreach (WeightedLayer layer in WeightedLayer.Find(model).Where(layer => layer.Input is not null))
        {
            if (!IsZero(layer.Weight)) yield return (layer.Weight, "a zero point of the weight is not 0");
        }
    }

    private static IEnumerable<(Node, string)> Pairs(Graph model)
    {
        foreach (Node quantizer in model.Nodes.Where(node => node.IsQuantizer()))
        {
            foreach (Node reader in quantizer.Outputs[0].Readers())
            {
                if (reader.IsDequantizer() && !(reader.Inputs[1] == quantizer.Inputs[1] && reader.Input(2) == quantizer.Input(2)) && !Qdq.SharesConstants(quantizer, reader))
                    yield return (reader, $"its scale or zero point is not that of {quantizer}, which makes its codes");
            }
        }
    }

    private static IEnumerable<(Node, string)> IntegerBiases(Graph model)
    {
        foreach (WeightedLayer layer in WeightedLayer.Find(model).Where(layer => layer.Input is not null && layer.Node.Input(2) is not null))
        {
            if (layer.Node.Inputs[2]!.Producer is not { } bias || !bias.IsDequantizer() || bias.CodeType() != ElementType.Int32) yield return (layer.Node, "its bias is float, expected a DequantizeLinear of int32");
            else if (!IsZero(bias)) yield return (bias, "the zero point of the bias is not 0");
            else if (!HasScaleOfSums(layer, bias)) yield return (bias, "the scale of the bias is not input scale * weight scale");
        }
    }

    private static bool HasScaleOfSums(WeightedLayer layer, Node bias)
    {
        ReadOnlySpan<float> weights = layer.Weight.Inputs[1]!.Constant!.Span<float>(), scales = bias.Inputs[1]!.Constant!.Span<float>();
        float input = layer.Input!.Inputs[1]!.Constant!.Span<float>()[0];
        if (scales.Length != weights.Length) return false;
        for (int i = 0; i < scales.Length; i++)
        {
            if (Math.Abs(scales[i] - input * weights[i]) > 0.01f * input * weights[i]) return false;
        }
        return true;
    }

    private static IEnumerable<(Node, string)> OneSign(Graph model) =>
        from layer in WeightedLayer.Find(model)
        where layer.Input?.CodeType() == ElementType.Int8 && layer.Weight.CodeType() == ElementType.UInt8
        select (layer.Node, "its input codes are int8 and its weight codes uint8, expected int8 for both");

    /// <summary>Layers that are laid out for integers and would run in float.</summary>
    private static IEnumerable<(Node, string)> Unfused(Graph model, bool keepsInt8)
    {
        HashSet<string> layers = [.. WeightedLayer.Find(model).Where(IsLaidOut).Select(layer => layer.Node.Name)];
        if (layers.Count == 0) yield break;
        FusionReport report = FuseQuantized.Apply(model.Clone(), keepsInt8);
        foreach (NodeFusion left in report.Float.Where(node => layers.Contains(node.Node))) yield return (model.Nodes.First(node => node.Name == left.Node), $"stays float: {left.Reason}");
    }

    /// <summary>8-bit codes go in, and a quantizer of 8 bits alone reads the result, with a Relu or Clip in between or without.</summary>
    private static bool IsLaidOut(WeightedLayer layer)
    {
        if (layer.Input is not { } input || input.CodeType().BitWidth() != 8 || input.CodeType().IsFloat() || layer.Weight.CodeType().BitWidth() != 8 || layer.Weight.CodeType().IsFloat()) return false;
        Value result = layer.Node.Outputs[0];
        if (result.Uses is [{ Node: var next }] && (next.Is("Relu") || next.Is("Clip"))) result = next.Outputs[0];
        return result.Uses is [{ Node: var reader, Index: 0 }] && reader.IsQuantizer() && reader.CodeType().BitWidth() == 8;
    }

    private static IEnumerable<(Node, string)> WeightRange(Graph model, int largest)
    {
        foreach (WeightedLayer layer in WeightedLayer.Find(model).Where(layer => layer.Input is not null && !layer.IsQuantizedInGraph && layer.Weight.CodeType() is ElementType.Int8))
        {
            int found = layer.CodesByChannel().SelectMany(codes => codes).Select(Math.Abs).DefaultIfEmpty().Max();
            if (found > largest) yield return (layer.Weight, $"a weight has code {found} or -{found}, expected at most {largest}");
        }
    }

    private static IEnumerable<(Node, string)> PairSums(Graph model) =>
        from layer in WeightedLayer.Find(model)
        let sum = Saturation.MaxPairSum(layer)
        where sum > Saturation.Limit
        select (layer.Node, $"two of its products may reach {sum}, expected at most {Saturation.Limit}");

    private static IEnumerable<(Node, string)> ActivationZeroPoints(Graph model) =>
        Quantizers(model).Where(node => !IsOfConstant(node) && !IsZero(node)).Select(node => (node, "its zero point is not 0"));

    private static IEnumerable<(Node, string)> FloatBiases(Graph model) =>
        model.Nodes.Where(node => node.IsDequantizer() && node.CodeType() == ElementType.Int32).Select(node => (node, "it dequantizes int32, expected a float bias"));

    private static IEnumerable<(Node, string)> BothInputs(Graph model) =>
        WeightedLayer.Find(model).Where(layer => layer.Input is null && layer.Weight.CodeType().BitWidth() == 8).Select(layer => (layer.Node, "its weight has codes and its input is float"));

    private static IEnumerable<(Node, string)> Dedicated(Graph model)
    {
        foreach (Node node in Quantizers(model).Where(node => !IsOfConstant(node)))
        {
            int readers = node.Outputs[0].Uses.Count + (node.Outputs[0].IsOutput ? 1 : 0);
            if (readers > 1) yield return (node, $"it has {readers} readers, expected one");
            if (node.IsQuantizer() && node.Outputs[0].Readers().FirstOrDefault(reader => !reader.IsDequantizer()) is { } other) yield return (node, $"{other} reads its codes, expected DequantizeLinear");
        }
    }

    private static IEnumerable<(Node, string)> StandardOperators(Graph model) =>
        from node in model.Nodes
        where node.Domain.Length > 0 || node.OpType is "DynamicQuantizeLinear" or "ConvInteger" or "MatMulInteger" || node.OpType.StartsWith("QLinear", StringComparison.Ordinal)
        select (node, "the parser has no such operator");

    private static IEnumerable<(Node, string)> SpatialDimensions(Graph model) =>
        from layer in WeightedLayer.Find(model)
        where layer.Node.OpType is "Conv" or "ConvTranspose" && layer.Stored.Constant!.Rank is not (4 or 5)
        select (layer.Node, $"it has {layer.Stored.Constant!.Rank - 2} spatial dimensions, expected two or three");

    private static IEnumerable<Node> Quantizers(Graph model) => model.Nodes.Where(node => node.IsQuantizer() || node.IsDequantizer());

    /// <summary>True for the quantizers of weights and biases.</summary>
    private static bool IsOfConstant(Node node) => node.Inputs[0] is { } input && (input.Constant is not null || (input.Producer is { } producer && producer.IsQuantizer() && producer.Inputs[0]!.Constant is not null));

    private static bool IsZero(Node node) => node.Input(2) is not { } value || (value.Constant is { } constant && (constant.Type.IsFloat() ? constant.Bytes.IndexOfAnyExcept((byte)0) < 0 : Array.TrueForAll(Codes.Read(constant), code => code == 0)));

    private static string Listed(IEnumerable<ElementType> types) => string.Join(", ", types.Select(type => type.Name()));
}
