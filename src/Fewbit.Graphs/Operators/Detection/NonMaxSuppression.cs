using Fewbit.Tensors;

namespace Fewbit.Graphs.Operators.Detection;

/// <summary>ONNX NonMaxSuppression, opset 11: by class, boxes from the highest score down that overlap no box taken before by more than a threshold.</summary>
/// <param name="AreCentred">Whether a box is [x, y, width, height] of its centre; otherwise [y1, x1, y2, x2] of two opposite corners.</param>
internal sealed record NonMaxSuppression(bool AreCentred) : IOperator
{
    private const int Scores = 1, MaxOutputs = 2, OverlapThreshold = 3, ScoreThreshold = 4;

    public static NonMaxSuppression Parse(Node node) => new(node.Int("center_point_box", 0) != 0);

    public void Infer(InferenceContext context)
    {
        Node node = context.Node;
        node.ExpectInputs(2, 5);
        SymbolicShape? boxes = context.InputShape(0), scores = context.InputShape(Scores);
        node.Expect(boxes is null || (boxes.Rank == 3 && boxes[2].MayEqual(4)), $"boxes have shape {boxes}, expected [N, boxes, 4]");
        node.Expect(scores is null or { Rank: 3 }, $"scores have shape {scores}, expected [N, classes, boxes]");
        node.Expect(boxes is null || scores is null || (boxes[0].MayEqual(scores[0]) && boxes[1].MayEqual(scores[2])), $"boxes have shape {boxes} and scores {scores}, expected [N, boxes, 4] and [N, classes, boxes]");
        for (int i = 0; i < 5; i++)
        {
            if (i != MaxOutputs && context.HasInput(i)) context.ExpectType(i, type => type == ElementType.Float32, "float32");
        }
        context.SetOutput(0, ElementType.Int64, [Dim.Unknown, 3]);
    }

    public void Evaluate(EvaluationContext context)
    {
        (Tensor boxes, Tensor scores) = (context.Input(0), context.Input(Scores));
        int count = (int)boxes.Shape[1], classes = (int)scores.Shape[1];
        long most = context.FindInput(MaxOutputs) is { } stated ? context.Node.ReadInt(stated) : 0;
        float overlap = context.FindInput(OverlapThreshold) is { } given ? given.Item<float>() : 0;
        float? least = context.FindInput(ScoreThreshold)?.Item<float>();
        context.Node.Expect(overlap is >= 0 and <= 1, $"iou_threshold is {overlap}, expected 0 to 1");
        var selected = new List<long>();
        for (int row = 0; most > 0 && row < scores.Shape[0] * classes; row++)
        {
            int n = row / classes;
            ReadOnlySpan<float> coordinates = boxes.Span<float>().Slice(n * count * 4, count * 4);
            float[] own = scores.Span<float>().Slice(row * count, count).ToArray();
            int[] order = [.. Enumerable.Range(0, count).Where(box => least is null || own[box] > least)];
            // The sort is not stable: of equal scores the first box comes first.
            Array.Sort(order, (a, b) => own[b].CompareTo(own[a]) is var sign && sign != 0 ? sign : a.CompareTo(b));
            foreach (int box in Select(coordinates, order, most, overlap)) selected.AddRange([n, row % classes, box]);
        }
        context.Provide(0, Tensor.From<long>([.. selected], [selected.Count / 3, 3]));
    }

    private List<int> Select(ReadOnlySpan<float> coordinates, int[] order, long most, float threshold)
    {
        var taken = new List<int>();
        var boxes = new List<Box>();
        foreach (int candidate in order)
        {
            if (taken.Count >= most) break;
            var box = Box.Of(coordinates.Slice(candidate * 4, 4), AreCentred);
            if (boxes.Exists(other => box.Overlap(other) > threshold)) continue;
            taken.Add(candidate);
            boxes.Add(box);
        }
        return taken;
    }

    private readonly record struct Box(float Top, float Left, float Bottom, float Right)
    {
        private float Area => (Bottom - Top) * (Right - Left);

        public static Box Of(ReadOnlySpan<float> box, bool isCentred) => isCentred
            ? new(box[1] - box[3] / 2, box[0] - box[2] / 2, box[1] + box[3] / 2, box[0] + box[2] / 2)
            : new(Math.Min(box[0], box[2]), Math.Min(box[1], box[3]), Math.Max(box[0], box[2]), Math.Max(box[1], box[3]));

        /// <summary>Intersection over union; 0 where a box is empty.</summary>
        public float Overlap(Box other)
        {
            float height = Math.Min(Bottom, other.Bottom) - Math.Max(Top, other.Top), width = Math.Min(Right, other.Right) - Math.Max(Left, other.Left);
            if (!(height > 0 && width > 0 && Area > 0 && other.Area > 0)) return 0;
            return height * width / (Area + other.Area - height * width);
        }
    }
}
