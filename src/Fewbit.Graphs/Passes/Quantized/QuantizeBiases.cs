using Fewbit.Graphs.Operators.Quantized;
using Fewbit.Tensors;

namespace Fewbit.Graphs.Passes.Quantized;

/// <summary>
/// Turns float weights and biases of Conv, ConvTranspose and Gemm into codes where input and output are quantized, as ONNX Runtime does on loading:
/// bias = round(b / (sx * sw)) as int32; a float weight becomes int8 with one scale and zero point.
/// </summary>
internal static class QuantizeBiases
{
    public static bool Apply(Graph graph)
    {
        bool changed = false;
        foreach (Node node in graph.Nodes.ToArray())
        {
            if (!(node.Is("Conv") || node.Is("ConvTranspose") || node.Is("Gemm")) || !LeadsToQuantizer(node)) continue;
            if (node.Inputs[0]?.Producer is not { } input || !input.IsDequantizer() || !Qdq.IsScalarConstant(input.Inputs[1])) continue;
            changed |= QuantizeNode(node, input);
        }
        return changed;
    }

    private static bool QuantizeNode(Node node, Node input)
    {
        Value weight = node.Inputs[1]!;
        Node? dequantizer = weight.Producer is { } producer && producer.IsDequantizer() ? producer : null;
        Tensor? bias = node.Input(2) is { IsConstant: true, Constant: { Type: ElementType.Float32, Rank: 1 } constant } ? constant : null;
        if (node.Input(2) is not null && bias is null) return false;
        if (dequantizer is null && weight is not { IsConstant: true, Type: ElementType.Float32 }) return false;
        if (dequantizer is not null && (bias is null || !FitsBias(node, dequantizer, bias))) return false;
        dequantizer ??= QuantizeWeight(node, weight);
        if (bias is not null) QuantizeBias(node, input, dequantizer, bias);
        return true;
    }

    /// <summary>The weight has one constant scale, or one for each element of the bias along the output channels.</summary>
    private static bool FitsBias(Node node, Node dequantizer, Tensor bias)
    {
        if (dequantizer.Inputs[1] is not { IsConstant: true, Constant: { } scale }) return false;
        if (Qdq.IsScalarConstant(dequantizer.Inputs[1])) return true;
        if (scale.Rank != 1 || scale.ElementCount != bias.ElementCount || dequantizer.Int("block_size", 0) != 0 || dequantizer.Inputs[0]!.Shape?.Rank is not { } rank) return false;
        int expected = node.Is("Gemm") && node.Int("transB", 0) == 0 ? 1 : 0;
        return dequantizer.Axis(dequantizer.Int("axis", 1), rank) == expected;
    }

    private static void QuantizeBias(Node node, Node input, Node weight, Tensor bias)
    {
        float inputScale = input.Scale();
        float[] scales = Array.ConvertAll(Floats.Read(weight.Inputs[1]!.Constant!), scale => inputScale * scale);
        float[] values = Floats.Read(bias);
        var codes = new int[values.Length];
        for (int i = 0; i < codes.Length; i++) codes[i] = ToInt32(MathF.Round(values[i] / scales[scales.Length == 1 ? 0 : i]));
        string name = node.Inputs[2]!.Name;
        Graph graph = node.Graph;
        Tensor scaleTensor = weight.Inputs[1]!.Constant!.Rank == 0 ? Tensor.Scalar(scales[0]) : Tensor.From<float>(scales);
        Value[] inputs = [graph.AddConstant(name + "/codes", Tensor.From<int>(codes)), graph.AddConstant(name + "/scale", scaleTensor)];
        Node dequantizer = graph.InsertNode(graph.IndexOf(node), "", "DequantizeLinear", inputs, new() { { "axis", 0L } }, name: name + "/dequantize");
        node.SetInput(2, dequantizer.Outputs[0]);
    }

    private static Node QuantizeWeight(Node node, Value weight)
    {
        Graph graph = node.Graph;
        float[] values = Floats.Read(weight.Constant!);
        (float min, float max) = (Math.Min(values.Min(), 0), Math.Max(values.Max(), 0));
        float scale = max == min ? 1 : (max - min) / 255;
        int zeroPoint = (int)MathF.Round(Math.Clamp(-128 - min / scale, -128, 127));
        Tensor codes = Tensor.AllocateUninitialized(ElementType.Int8, weight.Constant!.Shape);
        Codes.Write(Array.ConvertAll(values, value => Rounding.ToCode(value / scale, zeroPoint, -128, 127)), codes);
        Value[] inputs = [graph.AddConstant(weight.Name + "/codes", codes), graph.AddConstant(weight.Name + "/scale", Tensor.Scalar(scale)), graph.AddConstant(weight.Name + "/zero", Tensor.Scalar((sbyte)zeroPoint))];
        Node dequantizer = graph.InsertNode(graph.IndexOf(node), "", "DequantizeLinear", inputs, name: weight.Name + "/dequantize");
        node.SetInput(1, dequantizer.Outputs[0]);
        return dequantizer;
    }

    /// <summary>A number out of range becomes the lowest integer, as the processor's conversion gives.</summary>
    private static int ToInt32(float value) => value is >= -2147483648f and < 2147483648f ? (int)value : int.MinValue;

    private static bool LeadsToQuantizer(Node node)
    {
        while (node.Outputs is [{ Uses.Count: 1 } output])
        {
            node = output.Uses[0].Node;
            if (node.IsQuantizer()) return true;
            if (!(node.Is("Relu") || node.Is("Clip"))) return false;
        }
        return false;
    }
}
