using Fewbit.Tensors;

namespace Fewbit.Evaluation;

/// <summary>Accuracy of two models on the same samples.</summary>
/// <param name="Samples">Samples judged.</param>
/// <param name="Labelled">Samples with a label; the accuracies are of these.</param>
/// <param name="ReferenceTop1">Share of labels that the reference ranks first.</param>
/// <param name="Top1">Share of labels that the other model ranks first.</param>
/// <param name="ReferenceTop5">Share of labels among the reference's first five.</param>
/// <param name="Top5">Share of labels among the other model's first five.</param>
/// <param name="Agreement">Share of samples on which both rank the same class first.</param>
/// <param name="MeanKl">Mean Kullback-Leibler divergence of the other model's class probabilities from the reference's, in nats.</param>
/// <param name="Lost">Labelled samples that only the reference is right on.</param>
/// <param name="Gained">Labelled samples that only the other model is right on.</param>
public sealed record ClassificationResult(
    long Samples, long Labelled, double ReferenceTop1, double Top1, double ReferenceTop5, double Top5, double Agreement, double MeanKl, long Lost, long Gained)
{
    /// <summary>1 for each labelled sample that the reference is right on, 0 for the others.</summary>
    public IReadOnlyList<double> ReferenceRight { get; init; } = [];

    /// <summary>1 for each labelled sample that the other model is right on, 0 for the others.</summary>
    public IReadOnlyList<double> Right { get; init; } = [];

    /// <summary>1 for each sample on which both rank the same class first, 0 for the others.</summary>
    public IReadOnlyList<double> Same { get; init; } = [];

    /// <summary>Samples on which both rank different classes first.</summary>
    public long Disagreements => Samples == 0 ? 0 : (long)Math.Round((1 - Agreement) * Samples);

    /// <summary>Top-1 of the other model minus the reference's, -1 to 1.</summary>
    public double Difference => Labelled == 0 ? double.NaN : (double)(Gained - Lost) / Labelled;

    /// <summary>95 % interval of <see cref="Difference"/>; null without labels.</summary>
    public Interval? DifferenceInterval => Labelled == 0 ? null : PairedStatistics.OfPairedDifference(Lost, Gained, Labelled);

    /// <summary>McNemar's exact p of <see cref="Difference"/>; null without labels.</summary>
    public double? P => Labelled == 0 ? null : PairedStatistics.McNemarP(Lost, Gained);
}

/// <summary>Compares the class scores of two models sample by sample.</summary>
public sealed class PairedClassification
{
    private long _samples, _labelled, _agree, _lost, _gained;
    private long _reference1, _other1, _reference5, _other5;
    private readonly List<double> _referenceRight = [], _right = [], _same = [];
    private double _kl;
    private bool? _isProbability;

    /// <summary>What was seen so far.</summary>
    public ClassificationResult Result => new(
        _samples, _labelled, Share(_reference1, _labelled), Share(_other1, _labelled), Share(_reference5, _labelled), Share(_other5, _labelled),
        Share(_agree, _samples), _samples == 0 ? double.NaN : _kl / _samples, _lost, _gained)
    {
        ReferenceRight = [.. _referenceRight], Right = [.. _right], Same = [.. _same],
    };

    /// <summary>Takes in the scores of one batch.</summary>
    /// <param name="reference">[N, classes], or with further dimensions of length 1; logits or probabilities.</param>
    /// <param name="other">The same of the other model.</param>
    /// <param name="count">Rows to judge; what follows is padding.</param>
    /// <param name="labels">Class of each row; null without labels.</param>
    public void Add(Tensor reference, Tensor other, int count, IReadOnlyList<int>? labels)
    {
        if (reference.Shape != other.Shape) throw new ArgumentException($"scores {other} are compared with {reference}", nameof(other));
        if (reference.Rank < 2 || reference.Shape[0] < count) throw new ArgumentException($"scores {reference} are no [{count}, classes]", nameof(reference));
        int classes = (int)reference.Shape.CountOf(1, reference.Rank);
        for (int row = 0; row < count; row++)
        {
            AddRow(reference.Span<float>().Slice(row * classes, classes), other.Span<float>().Slice(row * classes, classes), labels?[row]);
        }
    }

    private void AddRow(ReadOnlySpan<float> reference, ReadOnlySpan<float> other, int? label)
    {
        _isProbability ??= IsProbability(reference);
        int first = Scores.ArgMax(reference), second = Scores.ArgMax(other);
        _samples++;
        _same.Add(first == second ? 1 : 0);
        if (first == second) _agree++;
        _kl += _isProbability.Value ? Scores.KlOfProbabilities(reference, other) : Scores.KlOfLogits(reference, other);
        if (label is not { } wanted) return;
        _labelled++;
        _referenceRight.Add(first == wanted ? 1 : 0);
        _right.Add(second == wanted ? 1 : 0);
        if (first == wanted) _reference1++;
        if (second == wanted) _other1++;
        if (Scores.IsAmongFirst(reference, wanted, 5)) _reference5++;
        if (Scores.IsAmongFirst(other, wanted, 5)) _other5++;
        if (first == wanted && second != wanted) _lost++;
        if (first != wanted && second == wanted) _gained++;
    }

    private static bool IsProbability(ReadOnlySpan<float> scores)
    {
        double sum = 0;
        foreach (float score in scores)
        {
            if (score < 0) return false;
            sum += score;
        }
        return Math.Abs(sum - 1) < 1e-3;
    }

    private static double Share(long part, long all) => all == 0 ? double.NaN : (double)part / all;
}
