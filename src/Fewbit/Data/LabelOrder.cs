using System.Globalization;

namespace Fewbit.Data;

/// <summary>How labels differ from a model's classes.</summary>
public enum LabelMismatch
{
    /// <summary>Class k of the data is class k + <see cref="LabelOrder.Shift"/> of the model (1001 classes: the first is the background).</summary>
    Shifted,

    /// <summary>The labels number only the classes that the data have; the model has more, in the same order.</summary>
    Gaps,

    /// <summary>Each class of the data is another class of the model.</summary>
    Permuted,
}

/// <summary>A finding that labels are in another order than the model's classes: from its predictions, what the labels should have been.</summary>
/// <param name="Mismatch">The kind.</param>
/// <param name="Shift">What to add to a label; 0 unless <see cref="LabelMismatch.Shifted"/>.</param>
/// <param name="Mapping">Model class by class of the data; empty for <see cref="LabelMismatch.Gaps"/>.</param>
/// <param name="Before">Share of samples whose label is the predicted class, as the labels are.</param>
/// <param name="After">The same under the mapping; a sample never helps to choose its own mapping.</param>
/// <param name="Message">What was found and what to do, for people.</param>
public sealed record LabelOrder(LabelMismatch Mismatch, int Shift, IReadOnlyDictionary<int, int> Mapping, double Before, double After, string Message)
{
    /// <summary>The other order must explain at least so many more of the samples before it is named.</summary>
    private const double MinGain = 0.15;

    /// <summary>Looks for another order of classes that explains the predictions far better than the labels as they are.</summary>
    /// <param name="predictions">The model's most likely class of each sample.</param>
    /// <param name="labels">Label of each sample.</param>
    /// <param name="modelClasses">Number of the model's classes.</param>
    /// <param name="classNames">Names of the data's classes by label, or null.</param>
    /// <returns>Null where the labels fit, or nothing explains the predictions clearly better.</returns>
    public static LabelOrder? Detect(IReadOnlyList<int> predictions, IReadOnlyList<int> labels, int modelClasses, IReadOnlyList<string>? classNames = null)
    {
        ArgumentNullException.ThrowIfNull(predictions);
        ArgumentNullException.ThrowIfNull(labels);
        if (predictions.Count != labels.Count) throw new ArgumentException($"{predictions.Count} predictions for {labels.Count} labels", nameof(predictions));
        if (labels.Count == 0) return null;
        double before = Share(predictions, labels, label => label);
        LabelOrder? shifted = Shifted(predictions, labels, before), permuted = Permuted(predictions, labels, before, classNames);
        // The simplest explanation is named unless another explains clearly more: in a permutation a few classes may happen to be neighbours.
        if (shifted is not null && (permuted is null || permuted.After < shifted.After + MinGain)) return shifted;
        return permuted ?? Gaps(predictions, labels, modelClasses, before, classNames);
    }

    private static LabelOrder? Shifted(IReadOnlyList<int> predictions, IReadOnlyList<int> labels, double before)
    {
        int shift = Share(predictions, labels, label => label + 1) >= Share(predictions, labels, label => label - 1) ? 1 : -1;
        double after = Share(predictions, labels, label => label + shift);
        if (!IsClear(before, after)) return null;
        string text = shift > 0
            ? "class k of the data is class k+1 of the model, whose first class is likely a background; give --labels with that class first"
            : "class k of the data is class k-1 of the model: the labels likely count from 1; subtract 1, or give --labels";
        return new(LabelMismatch.Shifted, shift, labels.Distinct().Order().ToDictionary(label => label, label => label + shift), before, after,
            $"your labels look shifted by one: {text} ({Percent(before)} of the labels agree as they are, {Percent(after)} shifted)");
    }

    /// <summary>The class that the other samples of a class are mostly predicted as must be this sample's prediction too: chance does not pass that.</summary>
    private static LabelOrder? Permuted(IReadOnlyList<int> predictions, IReadOnlyList<int> labels, double before, IReadOnlyList<string>? names)
    {
        var mapping = new Dictionary<int, int>();
        int agreeing = 0;
        foreach (IGrouping<int, int> group in Enumerable.Range(0, labels.Count).GroupBy(i => labels[i], i => predictions[i]).OrderBy(group => group.Key))
        {
            Dictionary<int, int> counts = group.CountBy(prediction => prediction).ToDictionary();
            mapping[group.Key] = counts.MaxBy(pair => pair.Value).Key;
            foreach ((int prediction, int count) in counts)
                if (count > 1 && counts.All(other => other.Key == prediction || other.Value < count - 1)) agreeing += count;
        }
        double after = (double)agreeing / labels.Count;
        double distinct = (double)mapping.Values.Distinct().Count() / mapping.Count;
        // A collapsed model predicts one class for everything: that is no order.
        if (!IsClear(before, after) || mapping.Count < 2 || distinct < 0.7) return null;
        (int from, int to)[] moved = [.. mapping.Where(pair => pair.Key != pair.Value).Select(pair => (pair.Key, pair.Value))];
        if (moved.Length == 0) return null;
        const int shown = 10;
        string list = string.Join(", ", moved.Take(shown).Select(pair => $"{NameOf(pair.from, names)} is {pair.to}")) + (moved.Length > shown ? $", ... ({moved.Length} in all)" : "");
        return new(LabelMismatch.Permuted, 0, mapping, before, after,
            $"your labels look permuted: class {list} in the model; alphabetical folders are often not the model's order: give --labels FILE with the model's class names, one a line "
            + $"({Percent(before)} of the labels agree as they are, {Percent(after)} under this mapping)");
    }

    /// <summary>Many predictions rise with the label, though not equal to it: a longest rising chain far beyond the 2 sqrt(n) of chance.</summary>
    private static LabelOrder? Gaps(IReadOnlyList<int> predictions, IReadOnlyList<int> labels, int modelClasses, double before, IReadOnlyList<string>? names)
    {
        // A draw from the data does not hold all of their classes; the names do.
        int drawn = labels.Distinct().Count(), classes = Math.Max(drawn, names?.Count ?? 0);
        if (drawn < 8 || labels.Max() >= classes || modelClasses <= classes) return null;
        int[] typical = [.. Enumerable.Range(0, labels.Count).GroupBy(i => labels[i], i => predictions[i]).OrderBy(group => group.Key)
            .Select(group => group.CountBy(prediction => prediction).MaxBy(pair => pair.Value).Key)];
        double rising = (double)LongestRise(typical) / typical.Length, chance = 2 / Math.Sqrt(typical.Length);
        if (!IsClear(Math.Max(before, chance), rising)) return null;
        return new(LabelMismatch.Gaps, 0, new Dictionary<int, int>(), before, rising,
            $"your labels look numbered without gaps: they are 0 to {classes - 1} for the {classes} classes present, but the model has {modelClasses} classes in the same order; "
            + $"give --labels FILE with all of the model's class names ({Percent(before)} of the labels agree as they are, {Percent(rising)} of the classes are in the model's order)");
    }

    private static int LongestRise(int[] values)
    {
        var tails = new List<int>();
        foreach (int value in values)
        {
            int place = tails.BinarySearch(value);
            if (place >= 0) continue;
            if (~place == tails.Count) tails.Add(value);
            else tails[~place] = value;
        }
        return tails.Count;
    }

    private static bool IsClear(double before, double after) => after >= before + MinGain && after >= 1.5 * before;

    private static double Share(IReadOnlyList<int> predictions, IReadOnlyList<int> labels, Func<int, int> map) =>
        (double)Enumerable.Range(0, labels.Count).Count(i => map(labels[i]) == predictions[i]) / labels.Count;

    private static string NameOf(int label, IReadOnlyList<string>? names) => names is not null && label < names.Count && names[label].Length > 0
        ? $"{label} '{names[label]}'"
        : label.ToString(CultureInfo.InvariantCulture);

    private static string Percent(double share) => string.Create(CultureInfo.InvariantCulture, $"{100 * share:0.0} %");
}
