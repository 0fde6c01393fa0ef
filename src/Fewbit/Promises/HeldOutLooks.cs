using Fewbit.Evaluation;

namespace Fewbit.Promises;

/// <summary>How confident the bound of each look at the held-out samples is, so that all looks together err in at most 5 % of searches.</summary>
/// <remarks>
/// What is looked at follows from the choosing samples, and the next number comes only where the look before failed (behind a success smaller candidates are looked at with the same
/// number until one fails: of these only the first that loses too much can be wrongly passed); so a wrong promise needs one of the looks to err, and their
/// errors add up to at most 0.04 + the sum of 0.01 / (k (k - 1)) over k = 2, 3, ..., which is 0.05 however many there are. Most goes to the first look: the choosing samples speak for it.
/// </remarks>
internal static class HeldOutLooks
{
    /// <summary>What all looks together may err.</summary>
    public const double Error = 0.05;

    private const double FirstError = 0.04;

    /// <summary>96 % for the first look, 99.5 % for the second, 99.83 % for the third.</summary>
    public static double ConfidenceOf(int look) => 1 - (look == 1 ? FirstError : (Error - FirstError) / (look * (look - 1.0)));

    /// <summary>The fewest held-out samples with which the first look can succeed.</summary>
    public static long SamplesNeeded(double largestDrop) => largestDrop >= 1 ? 1 : PairedStatistics.SamplesNeeded(largestDrop, ConfidenceOf(1));
}
