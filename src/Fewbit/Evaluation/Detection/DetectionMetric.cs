using Fewbit.Data;
using Fewbit.Tensors;

namespace Fewbit.Evaluation.Detection;

/// <summary>Settings of <see cref="DetectionMetric"/>.</summary>
public sealed record DetectionMetricOptions
{
    /// <summary>Score from which on the float model's boxes are the truth, above 0 to 1; null takes the decoder's.</summary>
    public double? TrueScore { get; init => field = value is null or (> 0 and <= 1) ? value : throw new ArgumentOutOfRangeException(nameof(value), value, "TrueScore must be above 0 and at most 1"); }

    /// <summary>Overlap above which the less sure of two boxes of a class is dropped, 0 to 1; null takes the decoder's.</summary>
    public double? SuppressedOverlap { get; init => field = value is null or (>= 0 and <= 1) ? value : throw new ArgumentOutOfRangeException(nameof(value), value, "SuppressedOverlap must be in [0, 1]"); }
}

/// <summary>Mean average precision of a detector, the boxes of its float model being the truth.</summary>
/// <remarks>
/// The float model has 1. Boxes of the model judged count from a score of 0.05 on, a hundred a picture at most. The interval is a percentile bootstrap over pictures,
/// seeded; with fewer than about twenty pictures it is too narrow.
/// </remarks>
/// <param name="decoder">Reads the boxes.</param>
/// <param name="options">Null for the decoder's own.</param>
public sealed class DetectionMetric(DetectionDecoder decoder, DetectionMetricOptions? options = null) : PairedMetric
{
    private const double LeastScore = 0.05;
    private const int MostBoxes = 100, MostDraws = 1000, FewestDraws = 100;
    private const long DrawWork = 20_000_000;
    private readonly double _trueScore = options?.TrueScore ?? decoder.ShownScore, _overlap = options?.SuppressedOverlap ?? decoder.SuppressedOverlap;
    private readonly AveragePrecision _precision = new();
    private readonly List<double> _samples = [], _references = [];
    private long _true, _shown;

    /// <inheritdoc/>
    public override Metric Metric => Metric.MapVsFloat;

    /// <inheritdoc/>
    public override PairedScore Result
    {
        get
        {
            if (_precision.Pictures == 0) throw new ArgumentException("there are no pictures to judge on");
            if (_true == 0) throw new InvalidDataException($"the float model finds nothing with a score of {_trueScore} or more in {_precision.Pictures} pictures; check --preprocess, or lower --score-threshold");
            (double mean, double[] byOverlap) = _precision.Of([.. Enumerable.Repeat(1, _precision.Pictures)]);
            double[] draws = Draws();
            return new(Metric, 1, mean, confidence => Around(draws, confidence), [.. _references], [.. _samples])
            {
                Details = [new("AP at overlap 0.5", 1, byOverlap[0]), new($"boxes of score {_trueScore} or more", _true, _shown)],
            };
        }
    }

    /// <inheritdoc/>
    public override void Add(IReadOnlyDictionary<string, Tensor> reference, IReadOnlyDictionary<string, Tensor> model, SampleBatch batch)
    {
        for (int row = 0; row < batch.Count; row++)
        {
            IReadOnlyList<DetectedBox> truth = NonMaximumSuppression.Apply(decoder.Decode(reference, row, _trueScore), _overlap, MostBoxes);
            IReadOnlyList<DetectedBox> found = NonMaximumSuppression.Apply(decoder.Decode(model, row, Math.Min(LeastScore, _trueScore)), _overlap, MostBoxes);
            _true += truth.Count;
            _shown += found.Count(box => box.Score >= _trueScore);
            _precision.Add(truth, found);
            var alone = new AveragePrecision();
            alone.Add(truth, found);
            _samples.Add(alone.Of([1]).Mean);
            _references.Add(truth.Count == 0 ? double.NaN : 1);
        }
    }

    private double[] Draws()
    {
        int pictures = _precision.Pictures;
        var random = new SeededRandom(1);
        var draws = new double[Math.Clamp(DrawWork / Math.Max(1, _precision.Found * AveragePrecision.Overlaps.Count), FewestDraws, MostDraws)];
        var weights = new int[pictures];
        for (int i = 0; i < draws.Length; i++)
        {
            // A draw of nothing but pictures without true boxes says nothing.
            do
            {
                Array.Clear(weights);
                for (int p = 0; p < pictures; p++) weights[random.NextInt(pictures)]++;
                draws[i] = _precision.Of(weights).Mean;
            }
            while (double.IsNaN(draws[i]));
        }
        return draws;
    }

    private static Interval Around(double[] draws, double confidence)
    {
        Interval value = PairedStatistics.OfDraws(draws, confidence);
        return new(value.Low - 1, value.High - 1);
    }
}
