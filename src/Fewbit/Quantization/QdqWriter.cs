using Fewbit.Calibration;
using Fewbit.Formats;
using Fewbit.Graphs;
using Fewbit.Tensors;

namespace Fewbit.Quantization;

/// <summary>Writes quantizers into a prepared float graph: QuantizeLinear and DequantizeLinear around integer nodes, integer weights and biases.</summary>
internal sealed class QdqWriter(
    Graph graph, Placement placement, ActivationParameters activations, FormatRules formats, IReadOnlyDictionary<string, GivenWeight> givenWeights)
{
    private readonly Dictionary<Value, (Value Codes, Value Real)> _written = [];
    private readonly Dictionary<Value, (Value Scale, Value ZeroPoint)> _constants = [];
    private readonly List<(Value Weight, QuantizedWeight Quantized, Value Real)> _weights = [];
    private readonly List<TensorReport> _tensors = [];
    private readonly List<WeightReport> _weightReports = [];

    public IReadOnlyList<TensorReport> Tensors => _tensors;

    public IReadOnlyList<WeightReport> Weights => _weightReports;

    /// <summary>Rewrites the graph.</summary>
    public void Write()
    {
        // Who reads what is asked before anything is rewritten.
        var readers = placement.Quantized.ToDictionary(value => value, Readers);
        foreach (Node node in graph.Nodes.Where(placement.Selected.Contains).ToArray()) WriteWeight(node);
        foreach (Value value in placement.Quantized) WriteQuantizer(value, readers[value]);
        foreach (Node clip in placement.MergedInto.Keys) graph.Remove(clip);
        RemoveUnreadDequantizers();
        graph.Sort();
        graph.RemoveUnusedValues();
    }

    /// <summary>Where a Pad took the codes, nothing reads the real numbers; a runtime would compute them all the same.</summary>
    private void RemoveUnreadDequantizers()
    {
        foreach ((_, Value real) in _written.Values)
        {
            if (real.Uses.Count == 0 && !real.IsOutput) graph.Remove(real.Producer!);
        }
    }

    /// <summary>Who reads the dequantized value: every reader of an integer result, else only the integer nodes.</summary>
    private Use[] Readers(Value value) => [.. value.Uses.Where(use => placement.IsIntegerResult(value) || placement.ReadsCodes(use))];

    private void WriteQuantizer(Value value, Use[] readers)
    {
        QuantizationParameters parameters = activations.Of(value);
        bool isIntegerResult = placement.IsIntegerResult(value);
        (Value scale, Value zeroPoint) = ConstantsOf(value, parameters);
        Value codes = value.Constant is { } constant ? graph.AddConstant(value.Name + "_quantized", AffineQuantizer.Quantize(constant, parameters))
            : isIntegerResult && placement.RoleOf(placement.SourceOf(value)!) == NodeRole.Pad ? PadCodes(value.Producer!, zeroPoint)
            : Quantize(value, scale, zeroPoint);
        Value real = AddNode("DequantizeLinear", value.Name + "_dequantize", [codes, scale, zeroPoint], value.Name + "_dequantized", ElementType.Float32, value.Shape);
        _written[value] = (codes, real);
        foreach (Use use in readers) use.Node.SetInput(use.Index, real);
        if (value.Constant is not null) return;
        Report(value, codes, parameters);
        if (value.IsOutput && isIntegerResult) graph.ReplaceOutput(value, real);
    }

    private Value Quantize(Value value, Value scale, Value zeroPoint)
    {
        // Behind an integer node the clip is the quantizer's own: it reads what the Relu or Clip read.
        Value source = placement.IsIntegerResult(value) ? placement.SourceOf(value)!.Outputs[OutputIndex(value)] : value;
        (int low, int high) = activations.CodesOf(value);
        bool isClipped = (low, high) != (byte.MinValue, byte.MaxValue) && !IsMoved(value);
        string name = value.Name + "_quantized";
        Value codes = AddNode("QuantizeLinear", value.Name + "_quantize", [source, scale, zeroPoint], isClipped ? name + "_uint8" : name, ElementType.UInt8, value.Shape);
        if (!isClipped) return codes;
        Value lowest = graph.AddConstant(name + "_min", Tensor.Scalar((byte)low)), highest = graph.AddConstant(name + "_max", Tensor.Scalar((byte)high));
        return AddNode("Clip", value.Name + "_clip", [codes, lowest, highest], name, ElementType.UInt8, value.Shape);
    }

    private int OutputIndex(Value value) => placement.SourceOf(value) is { Outputs: var outputs } && outputs.Contains(value) ? outputs.ToList().IndexOf(value) : 0;

    /// <summary>True where a node that moves codes writes the value: its codes are within the format already.</summary>
    private bool IsMoved(Value value) => placement.IsIntegerResult(value) && placement.RoleOf(placement.SourceOf(value)!) == NodeRole.PassThrough;

    /// <summary>The same Pad on codes, which fills with the code of 0.</summary>
    private Value PadCodes(Node pad, Value zeroPoint)
    {
        Value output = pad.Outputs[0];
        var inputs = pad.Inputs.ToList();
        inputs[0] = _written[OriginalInput(pad)].Codes;
        if (pad.String("mode", "constant") == "constant")
        {
            while (inputs.Count < 3) inputs.Add(null);
            inputs[2] = zeroPoint;
        }
        var attributes = new Attributes();
        foreach ((string key, object attribute) in pad.Attributes) attributes.Add(key, attribute);
        string name = pad.Name;
        graph.Remove(pad);
        return AddNode("Pad", name, inputs, output.Name + "_quantized", ElementType.UInt8, output.Shape, attributes);
    }

    /// <summary>The value a Pad read before its input was replaced by the dequantized one.</summary>
    private Value OriginalInput(Node pad) => _written.First(pair => pair.Value.Real == pad.Inputs[0]).Key;

    /// <summary>One pair of constants for all values that share parameters.</summary>
    private (Value Scale, Value ZeroPoint) ConstantsOf(Value value, QuantizationParameters parameters)
    {
        Value root = activations.Root(value);
        if (_constants.TryGetValue(root, out var known)) return known;
        return _constants[root] = (
            graph.AddConstant(root.Name + "_scale", Tensor.Scalar(parameters.Scale)),
            graph.AddConstant(root.Name + "_zero_point", Tensor.Scalar((byte)parameters.ZeroPoint)));
    }

    private void WriteWeight(Node node)
    {
        if (OperatorRules.WeightOf(node) is not { } weight) return;
        // A layer that may compute in float keeps its float bias.
        float inputScale = placement.IsForIntegers ? activations.Of(node.Inputs[0]!).Scale : 1;
        Value? bias = node.OpType == "MatMul" || !placement.IsForIntegers ? null : node.Input(2);
        QuantizedWeight quantized = WeightQuantizer.Quantize(node, weight, bias?.Constant, inputScale, formats.WeightOf(node), formats.WeightRangeOf(node), formats.GranularityOf(node), givenWeights.GetValueOrDefault(node.Name));
        _weightReports.Add(quantized.Report);
        // Nodes that read one weight share its codes where these and their scales are equal.
        Value? real = _weights.FirstOrDefault(known => known.Weight == weight && known.Quantized.SameAs(quantized)).Real;
        if (real is null)
        {
            real = Dequantized(weight.Name, quantized.Codes, quantized.Scales, quantized.Axis, ElementType.Int8);
            _weights.Add((weight, quantized, real));
        }
        node.SetInput(1, real);
        if (quantized.Bias is null) return;
        float[] scales = Array.ConvertAll(quantized.Scales, scale => inputScale * scale);
        node.SetInput(2, Dequantized(bias!.Name, quantized.Bias, scales, quantized.Axis is null ? null : 0, ElementType.Int32));
    }

    private Value Dequantized(string name, Tensor codes, float[] scales, int? axis, ElementType type)
    {
        Shape shape = axis is null ? [] : [scales.Length];
        Value stored = graph.AddConstant(name + "_quantized", codes), scale = graph.AddConstant(name + "_scale", Tensor.From<float>(scales, shape));
        Value zeroPoint = graph.AddConstant(name + "_zero_point", Tensor.Allocate(type, shape));
        Attributes attributes = axis is { } along ? new() { { "axis", (long)along } } : [];
        return AddNode("DequantizeLinear", name + "_dequantize", [stored, scale, zeroPoint], name + "_dequantized", ElementType.Float32, SymbolicShape.From(codes.Shape), attributes);
    }

    private Value AddNode(string opType, string name, IEnumerable<Value?> inputs, string output, ElementType type, SymbolicShape? shape, Attributes? attributes = null)
    {
        Value value = graph.AddValue(graph.UniqueName(output));
        graph.InsertNode(graph.Nodes.Count, "", opType, name, inputs, [value], attributes ?? []);
        (value.Type, value.Shape) = (type, value.Shape ?? shape);
        return value;
    }

    private void Report(Value value, Value codes, QuantizationParameters parameters)
    {
        RangeEstimator estimator = activations.EstimatorOf(value)!;
        _tensors.Add(new(value.Name, codes.Name, parameters.Format, parameters.Scale, parameters.ZeroPoint, estimator.Observed,
            estimator.ShareOutside(parameters.RangeOf()), estimator.NanCount, estimator.InfinityCount, activations.Root(value).Name, DegenerateTensors.RemarkOf(estimator.Observed, parameters)));
    }
}
