using Fewbit.Data;
using Fewbit.Graphs;
using Fewbit.Tensors;

namespace Fewbit.Evaluation.Detection;

/// <summary>Detectors that give the corners of their boxes and the scores of classes, such as UltraFace and SSD.</summary>
/// <remarks>Where the scores of each box add up to 1, the first class is the background and is left out.</remarks>
internal sealed class BoxesAndScoresDecoder : DetectionDecoder
{
    private readonly string _boxes, _scores;

    private BoxesAndScoresDecoder(string boxes, string scores) => (_boxes, _scores) = (boxes, scores);

    public override string Name => "boxes-scores";

    public override Preprocessing Preprocessing => Preprocessing.UltraFace;

    public override double ShownScore => 0.7;

    public override double SuppressedOverlap => 0.3;

    /// <summary>Null unless there are two outputs [N, n, 4] and [N, n, classes], told apart by name where both have four.</summary>
    public static BoxesAndScoresDecoder? TryFor(IModelRunner model)
    {
        ValueInfo[] all = [.. model.Outputs.Where(output => output.Shape is { Rank: 3 })];
        if (all.Length != 2 || model.Outputs.Count != 2 || Length(all[0], 1) != Length(all[1], 1)) return null;
        ValueInfo? boxes = all.FirstOrDefault(output => output.Name.Contains("box", StringComparison.OrdinalIgnoreCase)) ?? all.FirstOrDefault(output => Length(output, 2) == 4);
        return boxes is null || Length(boxes, 2) is not (4 or -1) ? null : new(boxes.Name, all.First(output => output != boxes).Name);
    }

    public override IEnumerable<DetectedBox> Decode(IReadOnlyDictionary<string, Tensor> outputs, int row, double leastScore)
    {
        if (outputs[_boxes].Shape[2] != 4) throw new InvalidDataException($"output '{_boxes}' is {outputs[_boxes]}, expected the four corners of boxes [N, n, 4]");
        ReadOnlySpan<float> corners = outputs[_boxes].Rows(row, 1).Span<float>(), scores = outputs[_scores].Rows(row, 1).Span<float>();
        int kinds = (int)outputs[_scores].Shape[2], first = kinds > 1 && IsShared(scores, scores.Length / kinds) ? 1 : 0;
        var boxes = new List<DetectedBox>();
        for (int i = 0; i < corners.Length / 4; i++)
        {
            ReadOnlySpan<float> box = corners.Slice(4 * i, 4), ofBox = scores.Slice(i * kinds, kinds);
            int best = first + Scores.ArgMax(ofBox[first..]);
            if (ofBox[best] >= leastScore) boxes.Add(new(box[0], box[1], box[2], box[3], best, ofBox[best]));
        }
        return boxes;
    }

    // On the mean of all boxes: quantized scores of one add up to 1 only roughly.
    private static bool IsShared(ReadOnlySpan<float> scores, int boxes)
    {
        double sum = 0;
        foreach (float score in scores) sum += score;
        return Math.Abs(sum / boxes - 1) < 0.05;
    }
}
