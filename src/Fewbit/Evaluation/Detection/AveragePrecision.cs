namespace Fewbit.Evaluation.Detection;

/// <summary>Mean average precision of detections as the COCO evaluation defines it, over pictures that may be weighted.</summary>
/// <remarks>
/// Lin et al., "Microsoft COCO: Common Objects in Context", 2014, and its evaluation code: in each picture the surest box first takes the unmatched true box of its class that it
/// overlaps most, at least by the limit; the precision at recalls 0, 0.01, ..., 1 is the highest at that recall or more; the mean is over these recalls, over the classes that
/// have a true box, and over the limits 0.5, 0.55, ..., 0.95.
/// </remarks>
internal sealed class AveragePrecision
{
    private const int Recalls = 101;
    private readonly SortedDictionary<int, ClassBoxes> _classes = [];

    /// <summary>The overlaps from which on a box counts as found.</summary>
    public static IReadOnlyList<double> Overlaps { get; } = [.. Enumerable.Range(0, 10).Select(i => 0.5 + 0.05 * i)];

    /// <summary>Pictures taken in.</summary>
    public int Pictures { get; private set; }

    /// <summary>Boxes found, in all pictures.</summary>
    public long Found => _classes.Values.Sum(boxes => (long)boxes.Found.Count);

    /// <summary>Takes in a picture.</summary>
    /// <param name="truth">Boxes that are there.</param>
    /// <param name="found">Boxes that a detector found.</param>
    public void Add(IReadOnlyList<DetectedBox> truth, IReadOnlyList<DetectedBox> found)
    {
        foreach (int kind in truth.Concat(found).Select(box => box.Class).Distinct())
        {
            if (!_classes.TryGetValue(kind, out ClassBoxes? boxes)) _classes[kind] = boxes = new();
            boxes.Add(Pictures, [.. truth.Where(box => box.Class == kind)], [.. found.Where(box => box.Class == kind).OrderByDescending(box => box.Score)]);
        }
        Pictures++;
    }

    /// <summary>The mean over all limits, and the value at each; NaN where no picture that counts has a true box.</summary>
    /// <param name="weights">How often each picture counts.</param>
    public (double Mean, double[] ByOverlap) Of(IReadOnlyList<int> weights)
    {
        var sums = new double[Overlaps.Count];
        int counted = 0;
        foreach (ClassBoxes boxes in _classes.Values)
        {
            long truths = boxes.Truths.Sum(pair => (long)weights[pair.Picture] * pair.Count);
            if (truths == 0) continue;
            counted++;
            for (int limit = 0; limit < sums.Length; limit++) sums[limit] += boxes.Precision(weights, truths, limit);
        }
        double[] means = [.. sums.Select(sum => counted == 0 ? double.NaN : sum / counted)];
        return (means.Average(), means);
    }

    private sealed class ClassBoxes
    {
        private List<(int Picture, float Score, int Matches)>? _sorted;

        /// <summary>Pictures with true boxes of the class, and how many.</summary>
        public List<(int Picture, int Count)> Truths { get; } = [];

        /// <summary>Bit l of the matches: a true box was taken at limit l.</summary>
        public List<(int Picture, float Score, int Matches)> Found { get; } = [];

        public void Add(int picture, DetectedBox[] truth, DetectedBox[] found)
        {
            _sorted = null;
            if (truth.Length > 0) Truths.Add((picture, truth.Length));
            var matches = new int[found.Length];
            for (int limit = 0; limit < Overlaps.Count; limit++)
            {
                var taken = new bool[truth.Length];
                for (int i = 0; i < found.Length; i++)
                {
                    if (Best(found[i], truth, taken, Overlaps[limit]) is not { } best) continue;
                    taken[best] = true;
                    matches[i] |= 1 << limit;
                }
            }
            Found.AddRange(found.Select((box, i) => (picture, box.Score, matches[i])));
        }

        public double Precision(IReadOnlyList<int> weights, long truths, int limit)
        {
            // A stable sort: among equals the earlier picture comes first.
            _sorted ??= [.. Found.OrderByDescending(box => box.Score)];
            var best = new double[Recalls];
            long right = 0, wrong = 0;
            foreach ((int picture, _, int matches) in _sorted)
            {
                int weight = weights[picture];
                if (weight == 0) continue;
                if ((matches >> limit & 1) == 0)
                {
                    wrong += weight;
                    continue;
                }
                right += weight;
                // Every recall up to here is reached with this precision; small errors of division must not lose the last.
                int reached = Math.Min(Recalls - 1, (int)Math.Floor((double)right / truths * (Recalls - 1) + 1e-9));
                best[reached] = Math.Max(best[reached], (double)right / (right + wrong));
            }
            double sum = 0, highest = 0;
            for (int recall = Recalls - 1; recall >= 0; recall--) sum += highest = Math.Max(highest, best[recall]);
            return sum / Recalls;
        }

        private static int? Best(DetectedBox box, DetectedBox[] truth, bool[] taken, double limit)
        {
            int? best = null;
            double most = limit - 1e-10;
            for (int t = 0; t < truth.Length; t++)
            {
                double overlap = taken[t] ? -1 : box.Overlap(truth[t]);
                if (overlap >= most) (best, most) = (t, overlap);
            }
            return best;
        }
    }
}
