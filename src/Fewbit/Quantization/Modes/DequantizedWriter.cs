using Fewbit.Formats;
using Fewbit.Graphs;
using Fewbit.Graphs.Execution;
using Fewbit.Graphs.Passes;
using Fewbit.Tensors;

namespace Fewbit.Quantization;

/// <summary>Makes a quantized model float again: its weights are those of the codes, its activations are no longer rounded.</summary>
/// <remarks>A quantizer's range stays as a Clip, since it may be what is left of a Relu.</remarks>
internal sealed class DequantizedWriter(Graph original)
{
    private static readonly HashSet<string> s_moving = new(StringComparer.Ordinal)
    {
        "Reshape", "Transpose", "Flatten", "Squeeze", "Unsqueeze", "Slice", "Split", "Gather", "Expand", "Tile", "MaxPool", "Pad", "Resize", "Identity", "DepthToSpace", "SpaceToDepth",
    };

    private readonly Graph _graph = original.Clone();
    private readonly Interpreter _interpreter = new();
    private readonly Dictionary<Value, Codes> _codes = [];

    /// <summary>What codes stand for.</summary>
    /// <param name="Real">The real numbers.</param>
    /// <param name="Scale">Width of a code; NaN where there are several.</param>
    /// <param name="ZeroPoint">The code of 0.</param>
    private sealed record Codes(Value Real, float Scale, int ZeroPoint);

    /// <exception cref="InvalidDataException">The model is not quantized, or a node has no float form here.</exception>
    public QuantizationResult Write()
    {
        if (!_graph.Nodes.Any(ModelCheck.IsQuantized)) throw new InvalidDataException("the model is not quantized: there is nothing to make float");
        foreach (Value input in _graph.Inputs.Where(input => input.Constant is not null).ToArray()) _graph.RemoveInput(input);
        foreach (Node node in _graph.Nodes.ToArray()) Rewrite(node);
        foreach (Value output in _graph.Outputs.ToArray())
        {
            if (_codes.TryGetValue(output, out Codes? codes)) _graph.ReplaceOutput(output, codes.Real);
        }
        new RemoveDeadNodes().Run(_graph);
        new FoldConstants().Run(_graph);
        _graph.RemoveUnusedValues();
        _graph.Sort();
        IReadOnlyList<NodeReport> nodes = [.. original.Nodes.Select(node => ModelCheck.IsQuantized(node)
            ? new NodeReport(node.Name, node.OpType, "float", "", NodeOutcome.Merged, "float again") : new(node.Name, node.OpType, "float", "float", NodeOutcome.Float, ""))];
        return new(_graph, original, new(nodes, [], [], Sizes.Of(original, _graph), 0, []));
    }

    private void Rewrite(Node node)
    {
        Codes? read = node.Input(0) is { } input ? _codes.GetValueOrDefault(input) : null;
        switch (node.OpType)
        {
            case "QuantizeLinear": Quantize(node); break;
            case "DequantizeLinear": Dequantize(node, read); break;
            case "DynamicQuantizeLinear": DynamicQuantize(node); break;
            case "MatMulInteger": MultiplyIntegers(node, read); break;
            case "MatMulNBits": MultiplyBlocks(node); break;
            case "Clip" when read is not null: ClipCodes(node, read); break;
            case "Cast" when read is not null && node.Int("to") == (long)ElementType.Float32: node.Outputs[0].ReplaceAllUsesWith(read.Real); break;
            case "Concat" when read is not null: Concatenate(node); break;
            default:
                if (ModelCheck.IsQuantized(node)) throw node.Fail("has no float form that Fewbit knows: give the float model that it was made from");
                if (read is not null) Move(node, read);
                break;
        }
    }

    private void Quantize(Node node)
    {
        Value x = node.Inputs[0]!, codes = node.Outputs[0];
        if (node.Input(1) is not { Constant: { ElementCount: 1, Type: ElementType.Float32 } scale } || x.Constant is not null)
        {
            _codes[codes] = new(x, float.NaN, 0);
            return;
        }
        int zeroPoint = node.Input(2)?.Constant is { } point ? AffineQuantizer.Unpack(point)[0] : 0;
        (int min, int max) = RangeOf(node, codes.Type);
        _codes[codes] = new(Clip(node, x, (min - zeroPoint) * scale.Span<float>()[0], (max - zeroPoint) * scale.Span<float>()[0]), scale.Span<float>()[0], zeroPoint);
    }

    private static (int Min, int Max) RangeOf(Node node, ElementType type) => type.IsInteger() && type.BitWidth() <= 16
        ? (new IntegerFormat(type.BitWidth(), type.IsSignedInteger()) is var format ? (format.Min, format.Max) : default) : throw node.Fail($"writes {type.Name()}, expected integer codes of at most 16 bits");

    private Value Clip(Node node, Value x, float low, float high) => _graph.InsertNode(
        _graph.IndexOf(node), "", "Clip", [x, _graph.AddConstant($"{node.Name}_low", Tensor.Scalar(low)), _graph.AddConstant($"{node.Name}_high", Tensor.Scalar(high))], null, 1, $"{node.Name}/range").Outputs[0];

    private void Dequantize(Node node, Codes? read)
    {
        if (read is not null) node.Outputs[0].ReplaceAllUsesWith(read.Real);
        else if (node.Inputs.All(input => input is null || input.Constant is not null))
            node.Outputs[0].ReplaceAllUsesWith(_graph.AddConstant(node.Outputs[0].Name + "_float", _interpreter.RunNode(node, value => value.Constant)[0]));
        else throw node.Fail("reads codes that the model is given or computes, not those of a quantizer: it stays as it is, and no mode takes it");
    }

    private void DynamicQuantize(Node node)
    {
        _codes[node.Outputs[0]] = new(node.Inputs[0]!, 1, 0);
        node.Outputs[1].ReplaceAllUsesWith(_graph.AddConstant(node.Name + "_scale", Tensor.Scalar(1f)));
        node.Outputs[2].ReplaceAllUsesWith(_graph.AddConstant(node.Name + "_zero", Tensor.Scalar((byte)0)));
    }

    private void MultiplyIntegers(Node node, Codes? read)
    {
        if (read is not { Scale: 1, ZeroPoint: 0 } || node.Input(1)?.Constant is not { } weight) throw node.Fail("does not multiply the result of a DynamicQuantizeLinear by a constant: it has no float form that Fewbit knows");
        int[] points = node.Input(3)?.Constant is { } stated ? AffineQuantizer.Unpack(stated) : [0], codes = AffineQuantizer.Unpack(weight);
        int columns = (int)weight.Shape[weight.Rank - 1];
        float[] real = new float[codes.Length];
        for (int i = 0; i < real.Length; i++) real[i] = codes[i] - points[points.Length == 1 ? 0 : i % columns];
        Value product = _graph.InsertNode(_graph.IndexOf(node), "", "MatMul", [read.Real, _graph.AddConstant(node.Inputs[1]!.Name + "_float", Tensor.From<float>(real, weight.Shape))], null, 1, node.Name).Outputs[0];
        _codes[node.Outputs[0]] = new(product, 1, 0);
    }

    /// <summary>The product of the unit matrix with the blocks is the weight itself.</summary>
    private void MultiplyBlocks(Node node)
    {
        Value x = node.Inputs[0]!;
        Value? bias = node.Input(5);
        if (bias is not null) node.SetInput(5, null);
        int inner = (int)node.Int("K");
        Tensor unit = Tensor.Allocate(ElementType.Float32, [inner, inner]);
        for (int i = 0; i < inner; i++) unit.Span<float>()[i * inner + i] = 1;
        Tensor weight = _interpreter.RunNode(node, value => value == x ? unit : value.Constant)[0];
        var nodes = new NodeInserter(_graph, _graph.IndexOf(node), node.Name);
        Value product = nodes.Add("", "MatMul", "", [x, _graph.AddConstant(node.Inputs[1]!.Name + "_float", weight)]);
        node.Outputs[0].ReplaceAllUsesWith(bias is null ? product : nodes.Add("", "Add", "bias", [product, bias]));
    }

    private void ClipCodes(Node node, Codes read)
    {
        (int min, int max) = RangeOf(node, node.Outputs[0].Type);
        if (node.Input(1)?.Constant is { } low) min = AffineQuantizer.Unpack(low)[0];
        if (node.Input(2)?.Constant is { } high) max = AffineQuantizer.Unpack(high)[0];
        _codes[node.Outputs[0]] = read with { Real = Clip(node, read.Real, (min - read.ZeroPoint) * read.Scale, (max - read.ZeroPoint) * read.Scale) };
    }

    private void Concatenate(Node node)
    {
        for (int i = 0; i < node.Inputs.Count; i++) node.SetInput(i, node.Inputs[i] is { } part && _codes.TryGetValue(part, out Codes? codes) ? codes.Real : throw node.Fail("joins codes with others that are not of a quantizer"));
        node.Outputs[0].Type = ElementType.Float32;
        _codes[node.Outputs[0]] = new(node.Outputs[0], float.NaN, 0);
    }

    private void Move(Node node, Codes read)
    {
        if (node.Domain.Length > 0 || !s_moving.Contains(node.OpType)) throw node.Fail("computes on codes, and has no float form that Fewbit knows");
        node.SetInput(0, read.Real);
        // What it fills with is the code of 0.
        if (node.Is("Pad") && node.Input(2) is not null) node.SetInput(2, null);
        foreach (Value output in node.Outputs.Where((output, index) => index == 0 || node.Is("Split")))
        {
            output.Type = ElementType.Float32;
            _codes[output] = read with { Real = output };
        }
    }
}
