using Fewbit.Graphs.Operators.Quantized;
using Fewbit.Tensors;

namespace Fewbit.Graphs.Passes.Quantized;

/// <summary>How a group is replaced.</summary>
internal enum Replacement
{
    /// <summary>By an operator on codes.</summary>
    Operator,

    /// <summary>The same operator runs on the codes themselves, which it only moves or compares.</summary>
    SameOperator,
}

/// <summary>One kind of group that ONNX Runtime's CPU provider fuses.</summary>
/// <param name="Replacement">What it becomes.</param>
/// <param name="Check">Gives the reason why a group stays float; null where it is fused.</param>
internal sealed record GroupRule(Replacement Replacement, Func<QuantizedGroup, string?> Check);

/// <summary>The table of groups that ONNX Runtime 1.30 fuses on the CPU (x64): operator types and conditions.</summary>
internal static class GroupRules
{
    private static readonly Dictionary<string, GroupRule> Rules = new(StringComparer.Ordinal)
    {
        ["Conv"] = new(Replacement.Operator, CheckConv),
        ["MatMul"] = new(Replacement.Operator, CheckMatMul),
        ["Gemm"] = new(Replacement.Operator, CheckGemm),
        ["Add"] = new(Replacement.Operator, group => CheckSameType(group)),
        ["Mul"] = new(Replacement.Operator, group => CheckSameType(group)),
        ["Concat"] = new(Replacement.Operator, group => CheckSameType(group)),
        ["Where"] = new(Replacement.Operator, group => CheckSameType(group, 2)),
        ["Split"] = new(Replacement.SameOperator, CheckSplit),
        ["Resize"] = new(Replacement.SameOperator, CheckResize),
        ["ArgMax"] = new(Replacement.SameOperator, CheckArgMax),
    };

    static GroupRules()
    {
        foreach (string unary in (string[])["AveragePool", "GlobalAveragePool", "LeakyRelu", "Sigmoid", "Softmax"]) Rules.Add(unary, new(Replacement.Operator, group => CheckSameType(group, 1)));
        foreach (string mover in (string[])["DepthToSpace", "Expand", "Flatten", "Gather", "GatherElements", "Reshape", "Slice", "Squeeze", "Tile", "Transpose", "Unsqueeze"])
            Rules.Add(mover, new(Replacement.SameOperator, group => CheckPair(group, allows16Bit: true, needsPositiveScale: false)));
        foreach (string chooser in (string[])["MaxPool", "ReduceMax", "ReduceMin"])
            Rules.Add(chooser, new(Replacement.SameOperator, CheckChooser));
    }

    /// <summary>The rule of a node; null where no group of its operator fuses.</summary>
    public static GroupRule? Of(Node node) => node.Domain is "" or "ai.onnx" ? Rules.GetValueOrDefault(node.OpType) : null;

    private static string? CheckConv(QuantizedGroup group)
    {
        if (group.Check() is { } reason) return reason;
        (ElementType x, ElementType w, ElementType y) = (group.Dequantizers[0].CodeType(), group.Dequantizers[1].CodeType(), group.Quantizers[0].CodeType());
        return CheckProduct(group, x, w) ?? CheckWeightScale(group) ?? CheckOutput(x, y) ?? CheckBias(group) ?? CheckBiasScale(group);
    }

    /// <summary>The bias joins the sum of codes, so its scale must be that of the sum; ONNX Runtime allows one percent.</summary>
    private static string? CheckBiasScale(QuantizedGroup group)
    {
        if (group.Dequantizers.Count < 3) return null;
        if (group.Dequantizers.Any(node => node.Inputs[1] is not { IsConstant: true, Type: ElementType.Float32 }) || !Qdq.IsScalarConstant(group.Dequantizers[0].Inputs[1])) return "a scale is not a float32 constant";
        float x = group.Dequantizers[0].Scale();
        float[] weights = Floats.Read(group.Dequantizers[1].Inputs[1]!.Constant!), biases = Floats.Read(group.Dequantizers[2].Inputs[1]!.Constant!);
        for (int i = 0; i < Math.Max(weights.Length, biases.Length); i++)
        {
            float expected = x * weights[weights.Length == 1 ? 0 : i], stated = biases[biases.Length == 1 ? 0 : i];
            if (Math.Abs(stated - expected) > 0.01f * Math.Abs(expected)) return $"the bias has scale {stated}, but input scale * weight scale is {expected}";
        }
        return null;
    }

    private static string? CheckMatMul(QuantizedGroup group)
    {
        if (group.Dequantizers.Count != 2) return $"{group.Dequantizers.Count} of 2 inputs come from DequantizeLinear";
        (ElementType a, ElementType b) = (group.Dequantizers[0].CodeType(), group.Dequantizers[1].CodeType());
        if ((CheckProduct(group, a, b) ?? CheckWeightScale(group)) is { } reason) return reason;
        return group.Quantizers.Count == 0 ? group.CheckEdges() : group.Check() ?? CheckOutput(a, group.Quantizers[0].CodeType());
    }

    private static string? CheckGemm(QuantizedGroup group)
    {
        if (group.Check(needsQuantizer: false) is { } reason) return reason;
        (ElementType a, ElementType b) = (group.Dequantizers[0].CodeType(), group.Dequantizers[1].CodeType());
        if (a == ElementType.Int8 && b != a) return $"input codes are int8 and weight codes {b.Name()}, expected int8 too";
        if (!a.Is8Bit() || !b.Is8Bit()) return $"codes are {a.Name()} and {b.Name()}, expected 8 bits";
        if (CheckWeightScale(group) is { } blocked) return blocked;
        if (group.Quantizers.Count > 0 && CheckOutput(a, group.Quantizers[0].CodeType()) is { } output) return output;
        if (group.Dequantizers.Count == 3 && group.Target.Float("beta", 1) != 1) return $"beta is {group.Target.Float("beta", 1)}, expected 1";
        return CheckBias(group);
    }

    private static string? CheckChooser(QuantizedGroup group) => group.Target.Is("MaxPool") && group.Target.OpsetVersion < 12
        ? "MaxPool takes 8-bit codes from opset 12 on" : CheckPair(group, allows16Bit: false, needsPositiveScale: true);

    private static string? CheckResize(QuantizedGroup group)
    {
        string mode = group.Target.String("mode", "nearest");
        return mode == "nearest" ? CheckPair(group, allows16Bit: false, needsPositiveScale: false) : $"mode '{mode}' computes new values";
    }

    private static string? CheckArgMax(QuantizedGroup group)
    {
        if (group.Dequantizers.Count != 1) return "its input does not come from DequantizeLinear";
        if (group.CheckEdges() is { } reason) return reason;
        Node dequantizer = group.Dequantizers[0];
        if (!dequantizer.CodeType().Is8Bit()) return $"codes are {dequantizer.CodeType().Name()}, expected 8 bits";
        return dequantizer.Input(2) is not null && dequantizer.HasScalarConstants() ? null : "its input has no constant scalar scale and zero point";
    }

    private static string? CheckSplit(QuantizedGroup group)
    {
        if (group.Check(1) is { } reason) return reason;
        return group.Quantizers.Select(quantizer => CheckShared(group.Dequantizers[0], quantizer)).FirstOrDefault(found => found is not null);
    }

    /// <summary>Every input and output has codes of one 8-bit type.</summary>
    private static string? CheckSameType(QuantizedGroup group, int? dequantizers = null)
    {
        if (group.Check(dequantizers) is { } reason) return reason;
        ElementType[] types = [.. group.Dequantizers.Concat(group.Quantizers).Select(node => node.CodeType()).Distinct()];
        if (types.Length > 1) return $"codes have types {string.Join(" and ", types.Select(type => type.Name()))}, expected one";
        return types[0].Is8Bit() ? null : $"codes are {types[0].Name()}, expected 8 bits";
    }

    private static string? CheckPair(QuantizedGroup group, bool allows16Bit, bool needsPositiveScale)
    {
        if (group.Activation is not null) return $"{group.Activation} follows it";
        if (group.Check(1) is { } reason) return reason;
        ElementType type = group.Dequantizers[0].CodeType();
        if (!type.Is8Bit() && !(allows16Bit && type is ElementType.UInt16 or ElementType.Int16)) return $"codes are {type.Name()}";
        if (CheckShared(group.Dequantizers[0], group.Quantizers[0]) is { } shared) return shared;
        return needsPositiveScale && !(group.Quantizers[0].Scale() > 0) ? "the scale is not positive" : null;
    }

    private static string? CheckShared(Node dequantizer, Node quantizer) => Qdq.SharesConstants(dequantizer, quantizer) ? null
        : "input and output do not share one scale and zero point";

    private static string? CheckProduct(QuantizedGroup group, ElementType x, ElementType w)
    {
        if (!x.Is8Bit() || !w.Is8Bit()) return $"codes are {x.Name()} and {w.Name()}, expected 8 bits";
        if (group.TakesInt8) return x != ElementType.Int8 || w == x ? null : $"input codes are int8 and weight codes {w.Name()}, expected int8 too";
        return x == ElementType.Int8 ? "int8 activations fuse only where one DequantizeLinear reads the codes" : null;
    }

    private static string? CheckWeightScale(QuantizedGroup group) => group.Dequantizers[1].Int("block_size", 0) == 0 ? null : "blocks of the weight have scales of their own";

    private static string? CheckOutput(ElementType x, ElementType y) => x == y ? null : $"input codes are {x.Name()} and output codes {y.Name()}, expected one type";

    private static string? CheckBias(QuantizedGroup group) => group.Dequantizers.Count < 3 || group.Dequantizers[2].CodeType() == ElementType.Int32 ? null
        : $"bias codes are {group.Dequantizers[2].CodeType().Name()}, expected int32";
}
