using Fewbit.Tensors;

namespace Fewbit.Onnx.Upgrade;

/// <summary>Operators whose attributes became inputs.</summary>
internal static class AttributesToInputs
{
    /// <summary>Squeeze, Unsqueeze, ReduceSum: axes.</summary>
    public static void Axes(NodeRewriter node)
    {
        if (node.Take<long[]>("axes") is { } axes) node.SetInput(1, "axes", axes);
    }

    /// <summary>Split: the lengths; without them the parts are equal, before and after.</summary>
    public static void Split(NodeRewriter node)
    {
        if (node.Take<long[]>("split") is { } lengths) node.SetInput(1, "split", lengths);
    }

    /// <summary>Split: the number of equal parts.</summary>
    public static void SplitCount(NodeRewriter node)
    {
        if (node.Node.Input(1) is null) node.Set("num_outputs", (long)node.Node.Outputs.Count);
    }

    /// <summary>DFT: the axis.</summary>
    public static void FourierAxis(NodeRewriter node)
    {
        long axis = node.TakeInt("axis", 1);
        node.Node.SetInput(2, node.Constant("axis", Tensor.Scalar(axis)));
    }

    /// <summary>Clip: the bounds.</summary>
    public static void Clip(NodeRewriter node)
    {
        if (node.TakeFloat("min") is { } min) node.SetInput(1, "min", min);
        if (node.TakeFloat("max") is { } max) node.SetInput(2, "max", max);
    }

    /// <summary>Pad: the widths and the number to fill with.</summary>
    public static void Pad(NodeRewriter node)
    {
        node.SetInput(1, "pads", node.Take<long[]>("pads") ?? throw node.Node.Fail("has no attribute 'pads'"));
        if (node.TakeFloat("value") is { } value and not 0) node.SetInput(2, "value", value);
    }

    /// <summary>Slice: starts, ends and axes; without axes the first dimensions are meant, before and after.</summary>
    public static void Slice(NodeRewriter node)
    {
        node.SetInput(1, "starts", node.Take<long[]>("starts") ?? throw node.Node.Fail("has no attribute 'starts'"));
        node.SetInput(2, "ends", node.Take<long[]>("ends") ?? throw node.Node.Fail("has no attribute 'ends'"));
        if (node.Take<long[]>("axes") is { } axes) node.SetInput(3, "axes", axes);
    }

    /// <summary>TopK: how many.</summary>
    public static void TopK(NodeRewriter node) => node.SetInput(1, "k", node.TakeInt("k"));

    /// <summary>Dropout: the ratio. It matters only to training, and that a node without the input training_mode does not do.</summary>
    public static void DropoutRatio(NodeRewriter node)
    {
        if (node.TakeFloat("ratio") is { } ratio) node.SetInput(1, "ratio", ratio);
    }

    /// <summary>Dropout: the mask had the type of the data and is Bool now.</summary>
    public static void DropoutMask(NodeRewriter node)
    {
        if (node.Node.Outputs.Count < 2 || node.Node.Outputs[1] is { Uses.Count: 0, IsOutput: false }) return;
        ElementType type = node.Node.Inputs[0]!.Type;
        node.Behind(1, "Cast", mask => [mask], new() { { "to", (long)(type == ElementType.Undefined ? ElementType.Float32 : type) } });
    }
}
