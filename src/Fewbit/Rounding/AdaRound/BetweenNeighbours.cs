using Fewbit.Formats;
using Fewbit.Graphs;
using Fewbit.Graphs.Operators;
using Fewbit.Tensors;

namespace Fewbit.Rounding;

/// <summary>A weight that learns which of the two numbers around it it becomes, in any number format: scale · (below + h(v) · (above - below)), h the rectified sigmoid.</summary>
/// <remarks>For integers with one scale a channel this is the weight of <see cref="AdaRound"/>. A weight beyond the ends has one neighbour alone and stays there.</remarks>
internal sealed class BetweenNeighbours : LearnedWeight
{
    private readonly QuantizationParameters _grid;
    private readonly Neighbours[] _neighbours;
    private readonly Value _variable;

    /// <param name="graph">The graph of a unit's step.</param>
    /// <param name="name">Name of the weight.</param>
    /// <param name="weight">The float weight.</param>
    /// <param name="grid">Its format, and scale and zero point of each part.</param>
    public BetweenNeighbours(Graph graph, string name, Tensor weight, QuantizationParameters grid)
    {
        _grid = grid;
        _neighbours = new Neighbours[weight.ElementCount];
        Tensor start = Like(weight), low = Like(weight), width = Like(weight);
        ReadOnlySpan<float> values = weight.Span<float>();
        foreach ((int part, int first, int length) in AffineQuantizer.Runs(weight.Shape, grid))
        {
            (float scale, int zeroPoint) = (grid.Scales[part], grid.ZeroPoints[part]);
            for (int i = first; i < first + length; i++)
            {
                float number = values[i] / scale;
                Neighbours around = _neighbours[i] = grid.Numbers.NeighboursOf(number, zeroPoint);
                start.Span<float>()[i] = SoftRounding.Inverse(around.FractionOf(number));
                low.Span<float>()[i] = around.Below * scale;
                width.Span<float>()[i] = around.Step * scale;
            }
        }
        _variable = graph.AddConstant(name + "/rounding", start);
        _variable.IsVariable = true;
        Soft = _variable.Apply(OperatorTable.FewbitDomain, "SoftBetween", null, graph.AddConstant(name + "/low", low), graph.AddConstant(name + "/width", width));
    }

    public override IReadOnlyList<Value> Variables => [_variable];

    public override Value Soft { get; }

    public override Value Regularizer(Value schedule) => _variable.Apply(OperatorTable.FewbitDomain, "RoundingRegularizer", null, schedule);

    public override Tensor Harden()
    {
        Tensor codes = Tensor.AllocateUninitialized(ElementType.Int32, _variable.Constant!.Shape);
        ReadOnlySpan<float> v = _variable.Constant.Span<float>();
        Span<int> result = codes.Span<int>();
        foreach ((int part, int start, int length) in AffineQuantizer.Runs(codes.Shape, _grid))
        {
            for (int i = start; i < start + length; i++) result[i] = _grid.Numbers.Encode(v[i] >= 0 ? _neighbours[i].Above : _neighbours[i].Below, _grid.ZeroPoints[part]);
        }
        return codes;
    }

    public override int Undecided() => AdaRound.Undecided(_variable);

    private static Tensor Like(Tensor weight) => Tensor.AllocateUninitialized(ElementType.Float32, weight.Shape);
}
