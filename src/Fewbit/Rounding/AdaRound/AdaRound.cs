using Fewbit.Formats;
using Fewbit.Graphs;
using Fewbit.Graphs.Operators;
using Fewbit.Tensors;

namespace Fewbit.Rounding;

/// <summary>Learns for each weight whether it is rounded down or up: scale · clamp(floor(w / scale) + h(v), Min - z, Max - z), h the rectified sigmoid.</summary>
/// <remarks>
/// Nagel et al., "Up or Down? Adaptive Rounding for Post-Training Quantization", 2020, arXiv:2004.10568. v starts where h(v) is the fraction of w / scale,
/// so that the soft weight is the float weight wherever it is not clamped. Other formats than integers, and scales of groups, round to one of the two neighbours
/// of w / scale: <see cref="BetweenNeighbours"/>.
/// </remarks>
internal sealed class AdaRound : ILearnedRounding
{
    // Beyond this from 0 or 1 a rounding is not decided.
    private const float Decided = 1e-2f;

    public LearnedWeight Add(Graph graph, string name, Tensor weight, QuantizationParameters grid) =>
        grid is { Numbers: IntegerFormat, Granularity.BlockSize: 0 } ? new Rounded(graph, name, weight, grid) : new BetweenNeighbours(graph, name, weight, grid);

    /// <summary>Roundings that are not decided, of variables.</summary>
    internal static int Undecided(Value variable)
    {
        int count = 0;
        foreach (float v in variable.Constant!.Span<float>())
        {
            if (SoftRounding.Of(v).H is > Decided and < 1 - Decided) count++;
        }
        return count;
    }

    private sealed class Rounded : LearnedWeight
    {
        private readonly QuantizationParameters _grid;
        private readonly Tensor _floor;
        private readonly Value _variable;

        public Rounded(Graph graph, string name, Tensor weight, QuantizationParameters grid)
        {
            _grid = grid;
            _floor = Tensor.AllocateUninitialized(ElementType.Float32, weight.Shape);
            Tensor start = Tensor.AllocateUninitialized(ElementType.Float32, weight.Shape);
            Split(weight.Span<float>(), _floor.Span<float>(), start.Span<float>());
            _variable = graph.AddConstant(name + "/rounding", start);
            _variable.IsVariable = true;
            var attributes = new Attributes { { "axis", (long)(grid.Granularity.Axis ?? 0) }, { "min", (float)grid.Format.Min }, { "max", (float)grid.Format.Max } };
            float[] zeroPoints = Array.ConvertAll(grid.ZeroPoints.ToArray(), zeroPoint => (float)zeroPoint);
            Soft = _variable.Apply(OperatorTable.FewbitDomain, "SoftRoundedWeight", attributes, graph.AddConstant(name + "/floor", _floor),
                graph.AddConstant(name + "/scale", Tensor.From(grid.Scales)), graph.AddConstant(name + "/zero_point", Tensor.From<float>(zeroPoints)));
        }

        public override IReadOnlyList<Value> Variables => [_variable];

        public override Value Soft { get; }

        public override Value Regularizer(Value schedule) => _variable.Apply(OperatorTable.FewbitDomain, "RoundingRegularizer", null, schedule);

        public override Tensor Harden()
        {
            Tensor codes = Tensor.AllocateUninitialized(ElementType.Int32, _floor.Shape);
            Span<int> result = codes.Span<int>();
            ReadOnlySpan<float> v = _variable.Constant!.Span<float>(), floor = _floor.Span<float>();
            foreach ((int channel, int start, int length) in AffineQuantizer.Runs(_floor.Shape, _grid))
            {
                int zeroPoint = _grid.ZeroPoints[channel];
                for (int i = start; i < start + length; i++) result[i] = (int)Math.Clamp((double)floor[i] + (v[i] >= 0 ? 1 : 0) + zeroPoint, _grid.Format.Min, _grid.Format.Max);
            }
            return codes;
        }

        public override int Undecided() => AdaRound.Undecided(_variable);

        private void Split(ReadOnlySpan<float> weight, Span<float> floor, Span<float> start)
        {
            foreach ((int channel, int first, int length) in AffineQuantizer.Runs(_floor.Shape, _grid))
            {
                float scale = _grid.Scales[channel];
                for (int i = first; i < first + length; i++)
                {
                    float ratio = weight[i] / scale;
                    floor[i] = MathF.Floor(ratio);
                    start[i] = SoftRounding.Inverse(ratio - floor[i]);
                }
            }
        }
    }
}
