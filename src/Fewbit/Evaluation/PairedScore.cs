namespace Fewbit.Evaluation;

/// <summary>A further figure that a metric gives beside its value.</summary>
/// <param name="Name">For people.</param>
/// <param name="Reference">Of the float model; null where the figure compares both.</param>
/// <param name="Model">Of the model judged.</param>
/// <param name="Unit">Of both, or "".</param>
public sealed record ScoreDetail(string Name, double? Reference, double Model, string Unit = "");

/// <summary>How good a model is beside its float model, on the same samples.</summary>
public sealed class PairedScore
{
    private readonly Func<double, Interval> _interval;

    /// <param name="metric">What was measured.</param>
    /// <param name="reference">The float model's value.</param>
    /// <param name="model">The value of the model judged.</param>
    /// <param name="interval">From confidence, above 0 and below 1, to the two-sided interval of <paramref name="model"/> - <paramref name="reference"/>.</param>
    /// <param name="referenceSamples">The float model's score of each sample.</param>
    /// <param name="modelSamples">The model's score of each sample.</param>
    internal PairedScore(Metric metric, double reference, double model, Func<double, Interval> interval, IReadOnlyList<double> referenceSamples, IReadOnlyList<double> modelSamples)
    {
        (Metric, Reference, Model, _interval, ReferenceSamples, ModelSamples) = (metric, reference, model, interval, referenceSamples, modelSamples);
    }

    /// <summary>What was measured.</summary>
    public Metric Metric { get; }

    /// <summary>The float model's value.</summary>
    public double Reference { get; }

    /// <summary>The value of the model judged.</summary>
    public double Model { get; }

    /// <summary>The float model's score of each sample: 0 or 1, decibels, nats a token, average precision.</summary>
    public IReadOnlyList<double> ReferenceSamples { get; }

    /// <summary>The model's score of each sample.</summary>
    public IReadOnlyList<double> ModelSamples { get; }

    /// <summary>Samples that the value is of.</summary>
    public int Samples => ModelSamples.Count;

    /// <summary>Two-sided p of <see cref="Difference"/>, were both equally good; null where there is no such test.</summary>
    public double? P { get; init; }

    /// <summary>Further figures.</summary>
    public IReadOnlyList<ScoreDetail> Details { get; init; } = [];

    /// <summary>The model's value minus the float model's.</summary>
    public double Difference => PairedStatistics.Difference(Reference, Model);

    /// <summary>95 % interval of <see cref="Difference"/>.</summary>
    public Interval Interval => _interval(0.95);

    /// <summary>95 % interval of <see cref="Model"/> itself, as if its samples were drawn anew.</summary>
    public Interval ModelInterval
    {
        get
        {
            if (Metric == Metric.MapVsFloat) return new(Interval.Low + Reference, Interval.High + Reference);
            if (Metric.IsShare) return PairedStatistics.OfProportion(ModelSamples.LongCount(score => score != 0), Samples);
            Interval mean = PairedStatistics.OfMean(ModelSamples);
            return Metric == Metric.Perplexity ? new(Math.Exp(mean.Low), Math.Exp(mean.High)) : mean;
        }
    }

    /// <summary>How much worse the model is, in the unit of the value; negative where it is better.</summary>
    public double Drop => Metric.IsHigherBetter ? -Difference : Difference;

    /// <summary>What <see cref="Drop"/> does not exceed in 95 of 100 repetitions of the measurement: the one-sided bound.</summary>
    public double DropBound => Metric.IsHigherBetter ? -_interval(0.9).Low : _interval(0.9).High;

    /// <summary>Accuracy of labelled samples, interval and p from the samples on which only one model is right.</summary>
    public static PairedScore Top1(ClassificationResult result)
    {
        ArgumentNullException.ThrowIfNull(result);
        if (result.Labelled == 0) throw new ArgumentException("there are no labels to judge by", nameof(result));
        return new(Metric.Top1, result.ReferenceTop1, result.Top1, confidence => PairedStatistics.OfPairedDifference(result.Lost, result.Gained, result.Labelled, confidence), result.ReferenceRight, result.Right)
        {
            P = result.P,
            Details = [new("top-5", result.ReferenceTop5, result.Top5), new(Metric.Agreement.Title, null, result.Agreement), new("mean KL divergence", null, result.MeanKl, "nats")],
        };
    }

    /// <summary>Agreement with the float model, which agrees with itself on every sample.</summary>
    public static PairedScore Agreement(ClassificationResult result)
    {
        ArgumentNullException.ThrowIfNull(result);
        long same = result.Same.LongCount(value => value != 0);
        return new(Metric.Agreement, 1, result.Agreement, Around, [.. result.Same.Select(_ => 1.0)], result.Same)
        {
            Details = [new("mean KL divergence", null, result.MeanKl, "nats")],
        };

        Interval Around(double confidence)
        {
            Interval share = PairedStatistics.OfProportion(same, result.Samples, confidence);
            return new(share.Low - 1, share.High - 1);
        }
    }

    /// <summary>A value that is the mean over samples; the interval is Student's of the mean difference.</summary>
    internal static PairedScore Mean(Metric metric, IReadOnlyList<double> reference, IReadOnlyList<double> model, params IReadOnlyList<ScoreDetail> details)
    {
        double[] differences = [.. reference.Zip(model, PairedStatistics.Difference)];
        return new(metric, reference.Average(), model.Average(), confidence => PairedStatistics.OfMean(differences, confidence), reference, model) { Details = details };
    }
}
