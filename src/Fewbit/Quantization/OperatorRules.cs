using Fewbit.Graphs;
using Fewbit.Tensors;

namespace Fewbit.Quantization;

/// <summary>What a node can be in a quantized graph.</summary>
internal enum NodeRole
{
    /// <summary>Stays float.</summary>
    Float,
    /// <summary>Multiplies codes by weights: Conv, Gemm, MatMul.</summary>
    Compute,
    /// <summary>Computes codes from codes: Add, pooling, Sigmoid.</summary>
    Elementwise,
    /// <summary>Moves codes: output and input share scale and zero point.</summary>
    PassThrough,
    /// <summary>A Pad that runs on the codes themselves; between DequantizeLinear and QuantizeLinear it would stay float.</summary>
    Pad,
    /// <summary>A Relu or Clip that the range of the quantizer behind it may make redundant.</summary>
    Activation,
    /// <summary>Nothing to quantize: works on shapes, indices or text.</summary>
    NotNumeric,
}

/// <summary>Which nodes ONNX Runtime's CPU kernels can run in integers, by operator, and why not the others.</summary>
internal static class OperatorRules
{
    private static readonly Dictionary<string, Func<Node, (NodeRole Role, string Reason)>> s_rules = new(StringComparer.Ordinal)
    {
        ["Conv"] = Conv,
        ["Gemm"] = Gemm,
        ["MatMul"] = MatMul,
        ["Add"] = TwoOperands,
        ["Mul"] = TwoOperands,
        ["Concat"] = _ => (NodeRole.Elementwise, ""),
        ["GlobalAveragePool"] = _ => (NodeRole.Elementwise, ""),
        ["AveragePool"] = AveragePool,
        ["LeakyRelu"] = _ => (NodeRole.Elementwise, ""),
        ["Sigmoid"] = _ => (NodeRole.Elementwise, ""),
        ["Softmax"] = _ => (NodeRole.Elementwise, ""),
        ["Relu"] = _ => (NodeRole.Activation, ""),
        ["Clip"] = Clip,
        ["Reshape"] = _ => (NodeRole.PassThrough, ""),
        ["Transpose"] = _ => (NodeRole.PassThrough, ""),
        ["Flatten"] = _ => (NodeRole.PassThrough, ""),
        ["Squeeze"] = _ => (NodeRole.PassThrough, ""),
        ["Unsqueeze"] = _ => (NodeRole.PassThrough, ""),
        ["Slice"] = _ => (NodeRole.PassThrough, ""),
        ["Split"] = Split,
        ["Gather"] = _ => (NodeRole.PassThrough, ""),
        ["Expand"] = _ => (NodeRole.PassThrough, ""),
        ["Tile"] = _ => (NodeRole.PassThrough, ""),
        ["MaxPool"] = MaxPool,
        ["Resize"] = Resize,
        ["Pad"] = Pad,
    };

    /// <summary>Role and, for <see cref="NodeRole.Float"/>, the reason.</summary>
    public static (NodeRole Role, string Reason) Classify(Node node)
    {
        if (node.Outputs.Any(output => output.Type == ElementType.Undefined && (output.Uses.Count > 0 || output.IsOutput)))
            return (NodeRole.Float, "the type of its result is not known");
        if (!node.Outputs.Any(output => output.Type.IsFloat())) return (NodeRole.NotNumeric, "computes no real numbers");
        if (node.Outputs.FirstOrDefault(output => output.Type != ElementType.Float32 && output.Type.IsFloat()) is { } other)
            return (NodeRole.Float, $"computes {other.Type.Name()}, only float32 is quantized");
        if (node.Domain.Length > 0 || !s_rules.TryGetValue(node.OpType, out var rule))
            return (NodeRole.Float, $"ONNX Runtime has no integer {node.OpType} on the CPU");
        if (DataInputs(node).Any(input => input.Type != ElementType.Float32)) return (NodeRole.Float, "reads other numbers than float32");
        return rule(node);
    }

    /// <summary>Positions of the inputs whose numbers are computed with, weights and bias excluded.</summary>
    public static IEnumerable<int> DataPositions(Node node) => node.OpType switch
    {
        "Add" or "Mul" or "MatMul" => node.Input(1) is { } second && !IsWeight(node, second) ? [0, 1] : [0],
        "Concat" => Enumerable.Range(0, node.Inputs.Count),
        _ => [0],
    };

    /// <summary>The inputs at <see cref="DataPositions"/>.</summary>
    public static IEnumerable<Value> DataInputs(Node node) => DataPositions(node).Select(index => node.Input(index)).OfType<Value>();

    /// <summary>The constant that a compute node multiplies by; null where both operands are activations.</summary>
    public static Value? WeightOf(Node node) => node.OpType is "Conv" or "Gemm" or "MatMul" && node.Input(1) is { } value && IsWeight(node, value) ? value : null;

    /// <summary>The dimension of a weight along which output channels lie.</summary>
    public static int ChannelAxis(Node node) => node.OpType switch
    {
        "Conv" => 0,
        "Gemm" => node.Int("transB", 0) != 0 ? 0 : 1,
        _ => 1,
    };

    private static bool IsWeight(Node node, Value value) => node.OpType is not ("Add" or "Mul") && value.IsConstant;

    private static (NodeRole, string) Conv(Node node)
    {
        if (node.Input(1) is not { IsConstant: true }) return (NodeRole.Float, "its weight is computed, not constant");
        if (node.Inputs[0]!.Constant is not null) return (NodeRole.Float, "its input is constant");
        return node.Input(2) is { IsConstant: false } ? (NodeRole.Float, "its bias is computed, not constant") : (NodeRole.Compute, "");
    }

    private static (NodeRole, string) Gemm(Node node)
    {
        if (node.Input(1) is not { IsConstant: true, Shape.Rank: 2 } weight) return (NodeRole.Float, "its weight is computed, not constant");
        if (node.Int("transA", 0) != 0) return (NodeRole.Float, "it transposes its input");
        // Preparation multiplies constant factors into weight and bias, and gives the bias rank 1.
        if (node.Float("alpha", 1) != 1 || (node.Input(2) is not null && node.Float("beta", 1) != 1)) return (NodeRole.Float, "alpha or beta is not 1");
        long channels = weight.Shape[ChannelAxis(node)].Length;
        bool biasFits = node.Input(2) is not { } bias || (bias is { IsConstant: true, Shape.Rank: 1 } && bias.Shape[0].Length == channels);
        return biasFits ? (NodeRole.Compute, "") : (NodeRole.Float, "its bias is not one constant per output channel");
    }

    private static (NodeRole, string) MatMul(Node node)
    {
        (Value a, Value b) = (node.Inputs[0]!, node.Inputs[1]!);
        if (a.Constant is not null) return (NodeRole.Float, "its first operand is constant");
        return b is { IsConstant: true, Shape.Rank: not 2 } ? (NodeRole.Float, $"its weight has shape {b.Shape}, expected two dimensions") : (NodeRole.Compute, "");
    }

    private static (NodeRole, string) TwoOperands(Node node)
    {
        if (node.Inputs[0] == node.Inputs[1]) return (NodeRole.Float, "both operands are one value");
        foreach (Value input in node.Inputs.OfType<Value>())
        {
            if (input.Constant is not { } constant) continue;
            if (constant.Span<float>().ContainsAnyExceptInRange(-1e9f, 1e9f)) return (NodeRole.Float, $"its constant operand '{input.Name}' holds numbers too large for 8 bits beside others");
        }
        return (NodeRole.Elementwise, "");
    }

    private static (NodeRole, string) AveragePool(Node node) =>
        node.Ints("dilations") is { } dilations && dilations.Any(dilation => dilation != 1) ? (NodeRole.Float, "ONNX Runtime has no dilated integer AveragePool") : (NodeRole.Elementwise, "");

    private static (NodeRole, string) Clip(Node node)
    {
        (float min, float max)? bounds = ClipBounds(node);
        if (bounds is not { } known) return (NodeRole.Float, "its bounds are computed, not constant");
        return known.min <= 0 && known.max >= 0 ? (NodeRole.Activation, "") : (NodeRole.Float, "its bounds do not enclose 0");
    }

    /// <summary>The bounds of a Relu or Clip; null where they are not constant.</summary>
    public static (float Min, float Max)? ClipBounds(Node node)
    {
        if (node.OpType == "Relu") return (0, float.PositiveInfinity);
        float min = float.NegativeInfinity, max = float.PositiveInfinity;
        if (node.Input(1) is { } low)
        {
            if (low is not { IsConstant: true, Constant.Type: ElementType.Float32 }) return null;
            min = low.Constant.Item<float>();
        }
        if (node.Input(2) is { } high)
        {
            if (high is not { IsConstant: true, Constant.Type: ElementType.Float32 }) return null;
            max = high.Constant.Item<float>();
        }
        return (min, max);
    }

    private static (NodeRole, string) MaxPool(Node node) =>
        node.Outputs.Count > 1 && (node.Outputs[1].Uses.Count > 0 || node.Outputs[1].IsOutput) ? (NodeRole.Float, "its indices are read") : (NodeRole.PassThrough, "");

    private static (NodeRole, string) Split(Node node) =>
        node.Outputs.Any(output => output.Uses.Count == 0 && !output.IsOutput) ? (NodeRole.Float, "one of its outputs is not read") : (NodeRole.PassThrough, "");

    private static (NodeRole, string) Resize(Node node)
    {
        if (node.String("mode", "nearest") != "nearest") return (NodeRole.Float, $"ONNX Runtime interpolates ({node.String("mode")}) in float; only nearest moves codes");
        return node.String("coordinate_transformation_mode", "half_pixel") == "tf_crop_and_resize" ? (NodeRole.Float, "it extrapolates") : (NodeRole.PassThrough, "");
    }

    private static (NodeRole, string) Pad(Node node)
    {
        if (node.String("mode", "constant") != "constant") return (NodeRole.Pad, "");
        bool isZero = node.Input(2) is not { } fill || (fill is { IsConstant: true, Constant.ElementCount: 1 } && fill.Constant.Span<float>()[0] == 0);
        return isZero ? (NodeRole.Pad, "") : (NodeRole.Float, "it pads with another number than 0");
    }
}
