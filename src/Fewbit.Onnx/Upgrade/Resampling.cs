using Fewbit.Graphs;
using Fewbit.Tensors;

namespace Fewbit.Onnx.Upgrade;

/// <summary>Upsample and the older forms of Resize.</summary>
internal static class Resampling
{
    /// <summary>Upsample 7 (scales an attribute) and 9 (an input): positions x / scale, rounded down.</summary>
    public static void Upsample(NodeRewriter node)
    {
        Value scales = node.Take<float[]>("scales") is { } numbers ? node.Constant("scales", Tensor.From<float>(numbers))
            : node.Node.Input(1) ?? throw node.Node.Fail("has no scales");
        node.Replace("Resize", [node.Node.Inputs[0], null, scales], Asymmetric(node.Node, "floor"));
    }

    /// <summary>Resize 10: positions x / scale; nearest takes the element below where a dimension grows, the one above where it shrinks.</summary>
    /// <remarks>The rounding when shrinking is in no text, but in the operator's published test and in ONNX Runtime.</remarks>
    public static void Resize10(NodeRewriter node)
    {
        (Value x, Value scales) = (node.Node.Inputs[0]!, node.Node.Inputs[1]!);
        node.Node.Expect(scales.Type is ElementType.Float32 or ElementType.Undefined, $"scales are {scales}, expected float32");
        float[]? known = scales.IsConstant ? scales.Constant!.Span<float>().ToArray() : null;
        bool isNearest = node.Node.String("mode", "nearest") == "nearest";
        if (!isNearest || (known is not null && Array.TrueForAll(known, scale => scale >= 1)))
        {
            node.Replace("Resize", [x, null, scales], Asymmetric(node.Node, "floor"));
            return;
        }
        if (known is null || Array.Exists(known, scale => scale > 1))
        {
            Value one = node.Constant("one", Tensor.Scalar(1f));
            Value grown = node.Before("Max", [scales, one]);
            x = node.Before("Resize", [x, null, grown], Asymmetric(node.Node, "floor"));
            scales = node.Before("Min", [scales, one]);
        }
        node.Replace("Resize", [x, null, scales], Asymmetric(node.Node, "ceil"));
    }

    /// <summary>Resize 11: left-out inputs were empty tensors, and one mode is another.</summary>
    public static void Resize11(NodeRewriter node)
    {
        Node resize = node.Node;
        string mode = resize.String("coordinate_transformation_mode", "half_pixel");
        if (mode != "tf_crop_and_resize" && resize.Input(1) is not null) resize.SetInput(1, null);
        if (resize.Input(3) is not null && resize.Input(2) is { IsConstant: true, Constant.ElementCount: 0 }) resize.SetInput(2, null);
        // Later opsets lack the mode. Only with this rounding do they have an equivalent; otherwise the engine still runs the mode itself.
        if (mode != "tf_half_pixel_for_nn" || resize.String("nearest_mode", "round_prefer_floor") != "floor") return;
        // floor(p + 0.5) is p rounded, halves up.
        node.Set("coordinate_transformation_mode", "half_pixel");
        node.Set("nearest_mode", "round_prefer_ceil");
    }

    /// <summary>GridSample 20: two modes have names without the number of dimensions.</summary>
    public static void GridSample20(NodeRewriter node)
    {
        if (node.Node.String("mode", "bilinear") is var mode && mode is "bilinear" or "bicubic") node.Set("mode", mode[2..]);
    }

    /// <summary>RoiAlign 16: the coordinates before are not the new default.</summary>
    public static void RoiAlign16(NodeRewriter node) => node.Set("coordinate_transformation_mode", "output_half_pixel");

    private static Attributes Asymmetric(Node node, string rounding) => new()
    {
        { "mode", node.String("mode", "nearest") },
        { "coordinate_transformation_mode", "asymmetric" },
        { "nearest_mode", rounding },
    };
}
