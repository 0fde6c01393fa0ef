using Fewbit.Data;
using Fewbit.Graphs;
using Fewbit.Tensors;

namespace Fewbit.Evaluation.Detection;

/// <summary>NanoDet: at each place of three grids class scores, and for each side of the box a distribution of its distance.</summary>
/// <remarks>
/// Li et al., "Generalized Focal Loss", 2020, arXiv:2006.04388: the distance of a side is the mean of the softmax over bins 0, 1, ..., times the stride.
/// A place (column, row) stands at ((column + 1/2) stride - 1/2, (row + 1/2) stride - 1/2), as NanoDet's first release places it.
/// </remarks>
internal sealed class NanoDetDecoder : DetectionDecoder
{
    private const int Sides = 4;
    private static readonly int[] s_strides = [8, 16, 32];
    private readonly (string Scores, string Distances, int Stride, int Columns)[] _grids;

    private NanoDetDecoder((string, string, int, int)[] grids) => _grids = grids;

    public override string Name => "nanodet";

    public override Preprocessing Preprocessing => Preprocessing.NanoDet;

    public override double ShownScore => 0.35;

    public override double SuppressedOverlap => 0.6;

    /// <summary>Null where there are not exactly two outputs for each grid.</summary>
    public static NanoDetDecoder? TryFor(IModelRunner model)
    {
        if (SizeOf(model) is not { } size || model.Outputs.Count != 2 * s_strides.Length) return null;
        var grids = new (string, string, int, int)[s_strides.Length];
        for (int i = 0; i < grids.Length; i++)
        {
            (int rows, int columns) = ((size.Height + s_strides[i] - 1) / s_strides[i], (size.Width + s_strides[i] - 1) / s_strides[i]);
            ValueInfo[] pair = [.. model.Outputs.Where(output => output.Shape is { Rank: 3 } && Length(output, 1) == rows * columns)];
            // With 32 classes and 8 bins both would look alike; then the exporter's order decides: scores first.
            if (pair is not [var scores, var distances] || Length(scores, 2) < 1 || Length(distances, 2) < 2 * Sides) return null;
            if (Length(distances, 2) % Sides != 0 || i > 0 && Length(distances, 2) != Length(model.Outputs.First(output => output.Name == grids[0].Item2), 2)) return null;
            grids[i] = (scores.Name, distances.Name, s_strides[i], columns);
        }
        return new(grids);
    }

    public override IEnumerable<DetectedBox> Decode(IReadOnlyDictionary<string, Tensor> outputs, int row, double leastScore)
    {
        var boxes = new List<DetectedBox>();
        foreach ((string scores, string distances, int stride, int columns) in _grids)
        {
            ReadOnlySpan<float> classes = outputs[scores].Rows(row, 1).Span<float>(), bins = outputs[distances].Rows(row, 1).Span<float>();
            (int kinds, int width) = ((int)outputs[scores].Shape[2], (int)outputs[distances].Shape[2]);
            for (int place = 0; place < classes.Length / kinds; place++)
            {
                ReadOnlySpan<float> ofPlace = classes.Slice(place * kinds, kinds);
                int best = Scores.ArgMax(ofPlace);
                if (!(ofPlace[best] >= leastScore)) continue;
                boxes.Add(Box(bins.Slice(place * width, width), place % columns, place / columns, stride, best, ofPlace[best]));
            }
        }
        return boxes;
    }

    private static DetectedBox Box(ReadOnlySpan<float> bins, int column, int row, int stride, int kind, float score)
    {
        Span<float> distances = stackalloc float[Sides];
        int count = bins.Length / Sides;
        for (int side = 0; side < Sides; side++) distances[side] = stride * Mean(bins.Slice(side * count, count));
        (float x, float y) = (column * stride + 0.5f * (stride - 1), row * stride + 0.5f * (stride - 1));
        return new(x - distances[0], y - distances[1], x + distances[2], y + distances[3], kind, score);
    }

    /// <summary>sum i softmax(bins)[i].</summary>
    private static float Mean(ReadOnlySpan<float> bins)
    {
        double all = Scores.LogSumExp(bins), mean = 0;
        for (int i = 1; i < bins.Length; i++) mean += i * Math.Exp(bins[i] - all);
        return (float)mean;
    }
}
