using Fewbit.Calibration;
using Fewbit.Formats;
using Fewbit.Graphs;
using Fewbit.Graphs.Operators.Quantized;
using Fewbit.Onnx;
using Fewbit.Targets;
using Fewbit.Tensors;

namespace Fewbit.Quantization;

/// <summary>Writes quantizers into a prepared float graph: QuantizeLinear and DequantizeLinear around integer nodes, rounded weights and biases.</summary>
internal sealed class QdqWriter(
    Graph graph, Placement placement, ActivationParameters activations, FormatRules formats, IReadOnlyDictionary<string, GivenWeight> givenWeights, ExportTarget target)
{
    private readonly Dictionary<Value, (Value? Codes, Value Real)> _written = [];
    private readonly List<(Value Weight, QuantizedWeight Quantized, Value Real)> _weights = [];
    private readonly List<TensorReport> _tensors = [];
    private readonly List<WeightReport> _weightReports = [];
    private readonly ActivationWriter _quantizers = new(graph);
    private readonly WeightWriter _weightWriter = new(graph);
    private int _opset;

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
        RemoveUnread();
        graph.Sort();
        graph.RemoveUnusedValues();
        if (_opset > graph.OpsetVersion("")) OnnxFile.RaiseOpset(graph, _opset);
    }

    /// <summary>Where a Pad took the codes, nothing reads the real numbers; a runtime would compute them all the same. A Relu that another node stands for is not read either.</summary>
    private void RemoveUnread()
    {
        foreach ((Value value, (_, Value real)) in _written)
        {
            if (real.Uses.Count == 0 && !real.IsOutput) graph.Remove(real.Producer!);
            if (value is { Uses.Count: 0, IsOutput: false, Producer: { OpType: "Relu" or "Clip" } clip } && clip.Graph.Nodes.Contains(clip)) graph.Remove(clip);
        }
    }

    /// <summary>Who reads the dequantized value: every reader of an integer result, else only the integer nodes.</summary>
    private Use[] Readers(Value value) => [.. value.Uses.Where(use => placement.IsIntegerResult(value) || placement.ReadsCodes(use))];

    private void WriteQuantizer(Value value, Use[] readers)
    {
        QuantizationParameters parameters = activations.Of(value);
        _opset = Math.Max(_opset, ActivationForms.Opset(parameters.Numbers));
        bool isIntegerResult = placement.IsIntegerResult(value);
        Value? codes = ActivationForms.Of(parameters.Numbers) == ActivationForm.Simulated ? null : CodesOf(value, parameters, isIntegerResult);
        Value real = codes is null ? _quantizers.Simulate(value.Name, value, parameters) : Dequantize(value, codes, parameters);
        _written[value] = (codes, real);
        foreach (Use use in readers) use.Node.SetInput(use.Index, real);
        if (value.Constant is not null) return;
        Report(value, codes, parameters);
        if (target.SharesPairs)
        {
            if (value.IsOutput && isIntegerResult) graph.ReplaceOutput(value, real);
        }
        else if (codes is not null)
        {
            // The first reader keeps the pair that is there.
            foreach (Use use in readers.Skip(1)) use.Node.SetInput(use.Index, Dequantize(value, CodesOf(value, parameters, isIntegerResult), parameters));
        }
    }

    private Value Dequantize(Value value, Value codes, QuantizationParameters parameters) => _quantizers.Dequantize(value.Name, codes, activations.Root(value), parameters, value.Shape);

    private Value CodesOf(Value value, QuantizationParameters parameters, bool isIntegerResult)
    {
        if (value.Constant is { } constant) return graph.AddConstant(value.Name + "_quantized", AffineQuantizer.Quantize(constant, parameters));
        if (IsResultOf(value, NodeRole.Pad)) return PadCodes(value.Producer!, _quantizers.ConstantsOf(activations.Root(value), parameters).ZeroPoint);
        // Behind an integer node the clip is the quantizer's own: it reads what the Relu or Clip read.
        Value source = isIntegerResult ? placement.SourceOf(value)!.Outputs[OutputIndex(value)] : value;
        return _quantizers.Quantize(value.Name, source, activations.Root(value), parameters, IsResultOf(value, NodeRole.PassThrough) || parameters.Numbers is not IntegerFormat ? null : activations.CodesOf(value));
    }

    private int OutputIndex(Value value) => placement.SourceOf(value) is { Outputs: var outputs } && outputs.Contains(value) ? outputs.ToList().IndexOf(value) : 0;

    /// <summary>True where a node on codes of that role writes the value: codes that are merely moved are within their format already.</summary>
    private bool IsResultOf(Value value, NodeRole role) => placement.IsForIntegers && placement.IsIntegerResult(value) && placement.RoleOf(placement.SourceOf(value)!) == role;

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
        return _quantizers.Add("Pad", name, inputs, output.Name + "_quantized", zeroPoint.Type, output.Shape, attributes);
    }

    /// <summary>The value a Pad read before its input was replaced by the dequantized one.</summary>
    private Value OriginalInput(Node pad) => _written.First(pair => pair.Value.Real == pad.Inputs[0]).Key;

    private void WriteWeight(Node node)
    {
        if (OperatorRules.WeightOf(node) is not { } weight) return;
        // A layer that may compute in float keeps its float bias.
        float inputScale = placement.IsForIntegers ? activations.Of(node.Inputs[0]!).Scale : 1;
        Value? bias = node.OpType == "MatMul" ? null : node.Input(2);
        QuantizedWeight quantized = WeightQuantizer.Quantize(node, weight, placement.IsForIntegers ? bias?.Constant : null, inputScale, formats.WeightOf(node), formats.WeightRangeOf(node), formats.GranularityOf(node),
            formats.PlaceOf(node), givenWeights.GetValueOrDefault(node.Name));
        _opset = Math.Max(_opset, quantized.Form.Opset);
        // Nodes that read one weight share its codes where these and their scales are equal.
        Value? real = _weights.FirstOrDefault(known => known.Weight == weight && known.Quantized.SameAs(quantized)).Real;
        _weightReports.Add(real is null ? quantized.Report with { StoredBytes = quantized.StoredBytes } : quantized.Report);
        if (real is null)
        {
            real = _weightWriter.Write(weight.Name, quantized);
            if (target.WritesFloatWeights) WriteFloats(real.Producer!);
            _weights.Add((weight, quantized, real));
        }
        node.SetInput(1, real);
        if (quantized.Bias is not null) WriteBias(node, bias!, quantized, inputScale);
        else if (target.HasIntegerBias && formats.PlaceOf(node).MeetsCodes && !quantized.Form.IsInteger && node.OpType != "MatMul") HoldBias(node, bias);
    }

    /// <summary>Lets the runtime make the codes of a weight from the floats which they stand for.</summary>
    private void WriteFloats(Node dequantizer)
    {
        if (dequantizer.Inputs is not [{ Constant: { Type: ElementType.Int8 } codes } stored, { Constant: { Rank: <= 1 } scales }, { Constant: { } zeroPoints }]) return;
        int? axis = scales.Rank == 0 ? null : (int)dequantizer.Int("axis", 1);
        var parameters = new QuantizationParameters(IntegerFormat.Int8, new(axis), scales.Span<float>(), Codes.Read(zeroPoints));
        Value floats = graph.AddConstant(stored.Name + "_rounded", AffineQuantizer.Dequantize(codes, parameters));
        Attributes attributes = axis is { } along ? new() { { "axis", (long)along } } : [];
        dequantizer.SetInput(0, _quantizers.Add("QuantizeLinear", stored.Name + "_quantize", [floats, dequantizer.Inputs[1], dequantizer.Inputs[2]], stored.Name + "_codes", codes.Type, SymbolicShape.From(codes.Shape), attributes));
    }

    private void WriteBias(Node node, Value bias, QuantizedWeight weight, float inputScale) =>
        node.SetInput(2, DequantizedBias(bias.Name, weight.Bias!, Array.ConvertAll(weight.Scales, scale => inputScale * scale), weight.Axis is not null));

    /// <summary>
    /// Writes a float bias as int32 codes 2^30 to the largest, which give it back. Without it ONNX Runtime rounds float weights to int8 with one scale for all,
    /// and biases to the step of input and weight, wherever a Conv or Gemm lies between quantizers.
    /// </summary>
    private void HoldBias(Node node, Value? bias)
    {
        long channels = node.Inputs[1]!.Shape![OperatorRules.ChannelAxis(node)].Length;
        ReadOnlySpan<float> values = bias is null ? new float[channels] : bias.Constant!.Span<float>();
        float largest = MathF.Abs(System.Numerics.Tensors.TensorPrimitives.MaxMagnitude(values)), scale = largest == 0 ? 1 : MathF.ScaleB(1, Math.Max(-126, MathF.ILogB(largest) - 29));
        int[] codes = new int[values.Length];
        for (int i = 0; i < codes.Length; i++) codes[i] = (int)Math.Round((double)values[i] / scale);
        node.SetInput(2, DequantizedBias(bias?.Name ?? node.Name + "_bias", Tensor.From<int>(codes), [scale], isPerChannel: false));
    }

    private Value DequantizedBias(string name, Tensor codes, float[] scales, bool isPerChannel)
    {
        Shape shape = isPerChannel ? [scales.Length] : [];
        Value stored = graph.AddConstant(name + "_quantized", codes), scale = graph.AddConstant(name + "_scale", Tensor.From<float>(scales, shape));
        Value zeroPoint = graph.AddConstant(name + "_zero_point", Tensor.Allocate(ElementType.Int32, shape));
        return _quantizers.Add("DequantizeLinear", name + "_dequantize", [stored, scale, zeroPoint], name + "_dequantized", ElementType.Float32, SymbolicShape.From(codes.Shape), isPerChannel ? new() { { "axis", 0L } } : []);
    }

    private void Report(Value value, Value? codes, QuantizationParameters parameters)
    {
        RangeEstimator estimator = activations.EstimatorOf(value)!;
        _tensors.Add(new(value.Name, codes?.Name ?? "", parameters.Numbers, parameters.Scale, parameters.ZeroPoint, estimator.Observed,
            estimator.ShareOutside(parameters.RangeOf()), estimator.NanCount, estimator.InfinityCount, activations.Root(value).Name, DegenerateTensors.RemarkOf(estimator.Observed, parameters)) { IsSimulated = codes is null });
    }
}
