namespace Fewbit.Graphs.Operators;

/// <summary>GridSample as nodes: what its gradient is taken of.</summary>
internal static class GridSampleFormula
{
    public static Value Of(Node node, GridSample settings, Value x, Value grid)
    {
        int rank = node.KnownRank(x) - 2;
        Value points = grid.To(0, -1, rank);
        var lengths = new int[rank];
        var taps = new ReadingTap[rank][];
        for (int d = 0; d < rank; d++)
        {
            lengths[d] = node.KnownLength(x, d + 2);
            Value position = points.Apply("Gather", new Attributes { { "axis", 2 } }, x.Graph.AddConstant("dimension", Tensors.Tensor.Scalar((long)(rank - 1 - d))));
            taps[d] = Taps(settings, position, lengths[d]);
        }
        return SpatialReading.Read(x, lengths, taps);
    }

    private static ReadingTap[] Taps(GridSample settings, Value at, int length)
    {
        at = settings.AlignsCorners ? (at + 1f) * at.Scalar(0.5 * (length - 1)) : ((at + 1f) * length - 1f) * 0.5f;
        if (settings.Mode == Interpolation.Nearest) at = at.Apply("Round");
        if (settings.Padding == "border" && settings.Mode != Interpolation.Cubic) at = at.Apply("Clip", at.Scalar(0), at.Scalar(length - 1));
        else if (settings.Padding == "reflection") at = Reflect(settings, at, length);
        Value floor = at.Apply("Floor"), share = at - floor;
        return settings.Mode switch
        {
            Interpolation.Nearest => [Tap(settings, at, at.Filled(1), length)],
            Interpolation.Linear => [Tap(settings, floor, 1f - share, length), Tap(settings, floor + 1f, share, length)],
            _ => [Tap(settings, floor - 1f, Outer(share + 1f), length), Tap(settings, floor, Inner(share), length), Tap(settings, floor + 1f, Inner(1f - share), length), Tap(settings, floor + 2f, Outer(2f - share), length)],
        };
    }

    private static ReadingTap Tap(GridSample settings, Value position, Value weight, int length) => settings.Padding switch
    {
        "zeros" => SpatialReading.Inside(position, weight, length),
        "border" => new(SpatialReading.Index(position, length), weight),
        _ => new(SpatialReading.Index(Reflect(settings, position, length), length), weight),
    };

    /// <summary>A triangle wave between the borders.</summary>
    private static Value Reflect(GridSample settings, Value at, int length)
    {
        (double low, double range) = settings.AlignsCorners ? (0.0, length - 1.0) : (-0.5, (double)length);
        if (range <= 0) return at.Filled(low);
        Value from = at - at.Scalar(low), turn = from - (from / at.Scalar(2 * range)).Apply("Floor") * at.Scalar(2 * range);
        return at.Scalar(low + range) - (turn - at.Scalar(range)).Apply("Abs");
    }

    /// <summary>Weight of a tap at a distance of at most 1.</summary>
    private static Value Inner(Value d) => (d * d.Scalar(GridSample.CubicA + 2) - d.Scalar(GridSample.CubicA + 3)) * d * d + 1f;

    /// <summary>Weight of a tap at a distance between 1 and 2.</summary>
    private static Value Outer(Value d) => ((d * d.Scalar(GridSample.CubicA) - d.Scalar(5 * GridSample.CubicA)) * d + d.Scalar(8 * GridSample.CubicA)) * d - d.Scalar(4 * GridSample.CubicA);
}
