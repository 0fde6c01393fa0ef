using Fewbit.Calibration;
using Fewbit.Formats;
using Fewbit.Graphs;

namespace Fewbit.Quantization;

/// <summary>Scale and zero point of every value that carries codes; values joined by nodes that move codes share theirs.</summary>
internal sealed class ActivationParameters
{
    private readonly Placement _placement;
    private readonly IReadOnlyDictionary<string, RangeEstimator> _estimators;
    private readonly Func<Value, NumberFormat> _formatOf;
    private readonly IReadOnlyDictionary<string, QuantizationParameters> _given;
    private readonly QuantizationScheme _scheme;
    private readonly Dictionary<Value, Value> _parent = [];
    private readonly Dictionary<Value, QuantizationParameters> _parameters = [];

    /// <param name="graph">The graph that the placement is of.</param>
    /// <param name="placement">What carries codes.</param>
    /// <param name="estimators">Ranges by value name; values that are merely moved need none.</param>
    /// <param name="formatOf">Codes of a value; a group takes the most bits among its members.</param>
    /// <param name="given">What is decided already, by value name.</param>
    /// <param name="scheme">Where zero points lie.</param>
    public ActivationParameters(Graph graph, Placement placement, IReadOnlyDictionary<string, RangeEstimator> estimators, Func<Value, NumberFormat> formatOf,
        IReadOnlyDictionary<string, QuantizationParameters> given, QuantizationScheme scheme)
    {
        (_placement, _estimators, _formatOf, _given, _scheme) = (placement, estimators, formatOf, given, scheme);
        foreach (Node node in graph.Nodes.Where(IsMover))
        {
            foreach (Value output in node.Outputs.Where(placement.IsQuantized)) _parent[Root(output)] = Root(node.Inputs[0]!);
        }
        if (given.Count > 0) return;
        // Later joins first, so that a chain of them shares the range of its end.
        foreach (Node node in graph.Nodes.Reverse().Where(node => node.OpType == "Concat" && placement.Selected.Contains(node))) ShareConcat(node);
    }

    /// <summary>The value whose range a value takes.</summary>
    public Value Root(Value value)
    {
        while (_parent.TryGetValue(value, out Value? parent)) value = parent;
        return value;
    }

    /// <summary>Scale and zero point of a value that carries codes.</summary>
    public QuantizationParameters Of(Value value)
    {
        Value root = Root(value);
        if (!_parameters.TryGetValue(root, out QuantizationParameters? parameters)) _parameters[root] = parameters = Fit(root);
        return parameters;
    }

    /// <summary>Lowest and highest code of a value: those of its format, or where a merged Relu or Clip ends.</summary>
    public (int Low, int High) CodesOf(Value value)
    {
        QuantizationParameters parameters = Of(value);
        if (ClipOf(value) is not { } clip) return (parameters.Format.Min, parameters.Format.Max);
        (float min, float max) = OperatorRules.ClipBounds(clip)!.Value;
        return (CodeOf(min, parameters), CodeOf(max, parameters));
    }

    /// <summary>What calibration saw of the value that a value takes its range from; null for constants.</summary>
    public RangeEstimator? EstimatorOf(Value value) => Root(value) is { Constant: null } root ? FindEstimator(_estimators, root) : null;

    /// <summary>The estimator of a value, or of the value that it is a part of.</summary>
    public static RangeEstimator? FindEstimator(IReadOnlyDictionary<string, RangeEstimator> estimators, Value value)
    {
        while (true)
        {
            if (estimators.TryGetValue(value.Name, out RangeEstimator? estimator)) return estimator;
            if (value.Producer is not { } producer || OperatorRules.Classify(producer).Role is not (NodeRole.PassThrough or NodeRole.Pad)) return null;
            value = producer.Inputs[0]!;
        }
    }

    private bool IsMover(Node node) => _placement.Selected.Contains(node) && _placement.RoleOf(node) is NodeRole.PassThrough or NodeRole.Pad && _placement.IsQuantized(node.Inputs[0]!);

    private QuantizationParameters Fit(Value root)
    {
        if (_given.TryGetValue(root.Name, out QuantizationParameters? given)) return given;
        NumberFormat format = MostBits(root);
        if (root.Constant is { } constant)
        {
            var all = new MinMaxEstimator();
            all.Observe(constant.Span<float>());
            return QuantizationParameters.FitTensor(all.Observed, format, _scheme);
        }
        RangeEstimator estimator = FindEstimator(_estimators, root) ?? throw new InvalidOperationException($"Bug in calibration: {root} was not observed");
        (float scale, int zeroPoint) = estimator.Fit(format, _scheme);
        var fitted = new QuantizationParameters(format, scale, zeroPoint);
        // Fewer bits have a Clip on their codes, which can clip at any code.
        return ClipOf(root) is { } clip && format is IntegerFormat { BitWidth: 8 } ? FitInside(fitted, OperatorRules.ClipBounds(clip)!.Value) : fitted;
    }

    private NumberFormat MostBits(Value root) => _placement.Quantized.Where(value => Root(value) == root).Select(_formatOf).MaxBy(format => format.BitWidth)!;

    private Node? ClipOf(Value value) => value.Producer is { } producer && _placement.MergedInto.ContainsKey(producer) ? producer : null;

    /// <summary>
    /// An input that only the Concat reads takes the Concat's scale: then its codes are copied, not rounded a second time.
    /// An input behind a merged Relu or Clip must still be clipped by that scale's range.
    /// </summary>
    private void ShareConcat(Node node)
    {
        Value output = _placement.ResultOf(node);
        foreach (Value input in node.Inputs.OfType<Value>())
        {
            bool isItsOwn = input.Constant is null && Root(input) == input && input.Uses.Count == 1 && _placement.IsIntegerResult(input)
                && _placement.RoleOf(_placement.SourceOf(input)!) is NodeRole.Compute or NodeRole.Elementwise && _formatOf(input) == _formatOf(output);
            if (isItsOwn && IsClippedBy(input, Of(output))) _parent[input] = Root(output);
        }
    }

    private bool IsClippedBy(Value value, QuantizationParameters parameters) =>
        ClipOf(value) is not { } clip || IsRedundant(OperatorRules.ClipBounds(clip)!.Value, parameters);

    /// <summary>True where the codes end at the bounds: clipping before quantizing changes nothing.</summary>
    private static bool IsRedundant((float Min, float Max) bounds, QuantizationParameters parameters) =>
        CodeOf(bounds.Min, parameters) == parameters.Format.Min && CodeOf(bounds.Max, parameters) == parameters.Format.Max;

    private static int CodeOf(float value, QuantizationParameters parameters) => AffineQuantizer.Quantize(value, parameters.Scale, parameters.ZeroPoint, parameters.Format);

    /// <summary>Narrows the scale until the codes end at or inside of the bounds.</summary>
    private static QuantizationParameters FitInside(QuantizationParameters fitted, (float Min, float Max) bounds)
    {
        if (IsRedundant(bounds, fitted)) return fitted;
        (IntegerFormat format, int zeroPoint) = (fitted.Format, fitted.ZeroPoint);
        float scale = fitted.Scale;
        if (zeroPoint < format.Max) scale = MathF.Min(scale, bounds.Max / (format.Max - zeroPoint));
        if (zeroPoint > format.Min) scale = MathF.Min(scale, bounds.Min / (format.Min - zeroPoint));
        return float.IsNormal(scale) ? new(format, scale, zeroPoint) : fitted;
    }
}
