using Fewbit.Graphs.Operators.Quantized;
using Fewbit.Tensors;

namespace Fewbit.Graphs.Passes.Quantized;

/// <summary>Removes a Relu or Clip whose only reader is a quantizer that clamps as tightly.</summary>
/// <remarks>ONNX Runtime's rules: Relu goes where the zero point is the lowest code; Clip where its range holds the quantizer's, or rounds to the codes' ends.</remarks>
internal static class RemoveRedundantActivations
{
    public static bool Apply(Graph graph)
    {
        bool changed = false;
        foreach (Node node in graph.Nodes.ToArray())
        {
            if (!IsRedundant(node)) continue;
            Value input = node.Inputs[0]!;
            node.Outputs[0].Uses[0].Node.SetInput(0, input);
            graph.Remove(node);
            changed = true;
        }
        return changed;
    }

    /// <summary>Whether a quantizer makes an activation in front of it redundant.</summary>
    public static bool IsRedundantBefore(Node activation, Node quantizer)
    {
        if (!HasRankZeroConstants(quantizer)) return false;
        (int min, int max) = CodeRange.Of(quantizer.CodeType());
        if (activation.Is("Relu")) return quantizer.ZeroPoint() == min;
        if (!activation.Is("Clip") || ClipRange.Of(activation) is not { } range) return false;
        return Code(range.Min, quantizer) <= min && Code(range.Max, quantizer) >= max;
    }

    private static bool IsRedundant(Node node)
    {
        if (!(node.Is("Relu") || node.Is("Clip")) || !node.Outputs[0].HasOneReader()) return false;
        Node quantizer = node.Outputs[0].Uses[0].Node;
        if (!quantizer.IsQuantizer() || !HasRankZeroConstants(quantizer) || quantizer.CodeType() is not (ElementType.UInt8 or ElementType.Int8)) return false;
        if (node.Is("Relu")) return quantizer.Input(2) is not null && quantizer.ZeroPoint() == CodeRange.Of(quantizer.CodeType()).Min;
        return ClipRange.Of(node) is { } range && Holds(range, quantizer);
    }

    private static bool Holds(ClipRange range, Node quantizer)
    {
        const float epsilon = 1.1920929e-7f; // of float32, as an absolute tolerance
        (int min, int max) = CodeRange.Of(quantizer.CodeType());
        float lower = quantizer.Scale() * (min - quantizer.ZeroPoint()), upper = quantizer.Scale() * (max - quantizer.ZeroPoint());
        return range.Min - lower <= epsilon && upper - range.Max <= epsilon;
    }

    private static bool HasRankZeroConstants(Node quantizer) => quantizer.HasScalarConstants() && quantizer.Inputs[1]!.Constant!.Rank == 0
        && quantizer.Inputs[1]!.Type == ElementType.Float32 && (quantizer.Input(2) is null || quantizer.Inputs[2]!.Constant!.Rank == 0)
        && quantizer.CodeType() is ElementType.UInt8 or ElementType.Int8 or ElementType.UInt16 or ElementType.Int16;

    private static double Code(float value, Node quantizer) => Math.Round((double)(value / quantizer.Scale())) + quantizer.ZeroPoint();
}

/// <summary>The constant limits of a Clip.</summary>
internal readonly record struct ClipRange(float Min, float Max)
{
    /// <summary>The limits, from the attributes (opset 6) or the inputs (opset 11); null where one of them is computed.</summary>
    public static ClipRange? Of(Node clip)
    {
        if (clip.OpsetVersion < 11) return new(clip.Float("min", float.MinValue), clip.Float("max", float.MaxValue));
        return Limit(clip.Input(1), float.MinValue) is { } min && Limit(clip.Input(2), float.MaxValue) is { } max ? new(min, max) : null;
    }

    private static float? Limit(Value? value, float absent) =>
        value is null ? absent : value is { IsConstant: true, Constant: { Type: ElementType.Float32, ElementCount: 1 } constant } ? constant.Span<float>()[0] : null;
}
