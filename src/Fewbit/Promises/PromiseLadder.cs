using Fewbit.Evaluation;
using Fewbit.Formats;
using Fewbit.Graphs;
using Fewbit.Quantization;
using Fewbit.Transforms;

namespace Fewbit.Promises;

/// <summary>How a candidate is made: options, and codes that are decided already.</summary>
/// <param name="Options">Formats, transforms, exclusions.</param>
/// <param name="Given">Learned codes; null for the nearest ones.</param>
internal sealed record Recipe(QuantizationOptions Options, GivenQuantizers? Given = null);

/// <summary>Goes from the plainest candidate to more careful ones: biases corrected, layers equalized, rounding learned, the most sensitive layers with more bits or in float.</summary>
internal sealed class PromiseLadder(Graph original, CandidateMaker maker, PromiseTrials trials, PromiseOptions options, CancellationToken cancellation)
{
    private const int Iterations = 1000, SensitivitySamples = 64;
    private const double LearningShare = 0.3;
    private readonly Dictionary<Trial, Recipe> _recipes = [];
    private IReadOnlyList<NodeSensitivity>? _sensitivity;

    /// <summary>Tries candidate after candidate.</summary>
    /// <param name="isEnough">Ends it.</param>
    /// <returns>How the one that was enough is made; null where none was.</returns>
    public Recipe? Climb(Func<Trial, bool> isEnough)
    {
        string name = NameOf(options.Start);
        Trial first = Try(name, new(options.Start));
        if (isEnough(first)) return _recipes[first];
        foreach ((string suffix, QuantizationOptions changed) in Transformed())
        {
            if (!trials.HasTime()) return null;
            Trial trial = Try($"{name}, {suffix}", new(changed));
            if (isEnough(trial)) return _recipes[trial];
        }
        if (!trials.HasTime()) return null;
        Trial best = BestOf(_recipes.Keys), learned = Learn(best);
        if (isEnough(learned)) return _recipes[learned];
        return Ease(BestOf([best, learned]), isEnough);
    }

    /// <summary>int8 per channel.</summary>
    private static string NameOf(QuantizationOptions start) => $"{start.Weights.Name} per {(start.WeightGranularity == WeightGranularity.PerTensor ? "tensor" : "channel")}";

    private Trial Try(string name, Recipe recipe)
    {
        Trial trial = trials.Try(name, () => maker.Make(recipe.Options, recipe.Given));
        _recipes[trial] = recipe;
        return trial;
    }

    private static Trial BestOf(IEnumerable<Trial> some) => some.MinBy(trial => (trial.Candidate.Choosing.Drop, trial.Candidate.Choosing.MeanKl))!;

    private IEnumerable<(string, QuantizationOptions)> Transformed()
    {
        yield return ("biases corrected", options.Start with { Transforms = [new CorrectBiases()] });
        if (CanEqualize()) yield return ("layers equalized, biases corrected", options.Start with { Transforms = [new EqualizeLayers(), new CorrectBiases()] });
    }

    private bool CanEqualize() => FloatTransforms.Apply(maker.PreparedFor(options.Start).Clone(), [new EqualizeLayers { Sweeps = 1 }], KeptBatches.None).Any(report => report.Changes.Count > 0);

    private Trial Learn(Trial from)
    {
        QuantizationOptions learning = _recipes[from].Options with { Method = RoundingMethod.QDrop };
        trials.Announce($"{from.Candidate.Name}, rounding learned", "learning");
        return Try($"{from.Candidate.Name}, rounding learned", new(learning, maker.Learn("ladder", learning, options.Iterations ?? Iterations, trials.Left * LearningShare)));
    }

    /// <summary>Gives the most sensitive layers 8 bits, then leaves the most sensitive nodes float: as few as are enough, in steps that double, then halve.</summary>
    private Recipe? Ease(Trial from, Func<Trial, bool> isEnough)
    {
        if (!trials.HasTime()) return null;
        List<Func<Recipe, Recipe>> steps = Steps(_recipes[from]);
        int failed = 0;
        for (int count = Math.Min(1, steps.Count); count > failed && trials.HasTime(); count = Math.Min(2 * count, steps.Count))
        {
            Trial trial = WithSteps(from, steps, count);
            int enough = count;
            while (trial.IsExpected && enough - failed > 1 && trials.HasTime())
            {
                int middle = (enough + failed) / 2;
                Trial fewer = WithSteps(from, steps, middle);
                if (fewer.IsExpected) (trial, enough) = (fewer, middle);
                else failed = middle;
            }
            if (isEnough(trial)) return _recipes[trial];
            failed = count;
        }
        return null;
    }

    private Trial WithSteps(Trial from, IReadOnlyList<Func<Recipe, Recipe>> steps, int count)
    {
        Recipe recipe = Eased(_recipes[from], steps.Take(count));
        int excluded = recipe.Options.Exclude.Count - options.Start.Exclude.Count, widened = count - excluded;
        string what = string.Join(", ", new[] { widened > 0 ? $"{widened} of its layers in int8" : "", excluded > 0 ? $"{excluded} of its nodes in float" : "" }.Where(text => text.Length > 0));
        return Try($"{from.Candidate.Name}, {what}", recipe);
    }

    private List<Func<Recipe, Recipe>> Steps(Recipe recipe)
    {
        // What preparation made new cannot be named in options.
        HashSet<string> named = [.. original.Nodes.Select(node => node.Name)];
        string[] nodes = [.. Sensitivity().Select(node => node.Node).Where(named.Contains)];
        HashSet<string> low = [.. maker.SitesOf(recipe.Options).Weights.Where(site => site.Format.BitWidth < 8).Select(site => site.Node.Name)];
        List<Func<Recipe, Recipe>> steps = [.. nodes.Where(low.Contains).Select(Widen), .. nodes.Select(Exclude)];
        // A model without any layer on codes is the float model.
        while (steps.Count > 0 && !maker.HasLayers(Eased(recipe, steps).Options)) steps.RemoveAt(steps.Count - 1);
        return steps;

        static Func<Recipe, Recipe> Widen(string node) => eased => new(
            eased.Options with { Overrides = [.. eased.Options.Overrides, new LayerOverride { Layers = node, Weights = IntegerFormat.Int8 }] }, Without(eased.Given, node));

        static Func<Recipe, Recipe> Exclude(string node) => eased => new(eased.Options with { Exclude = [.. eased.Options.Exclude, node] }, Without(eased.Given, node));
    }

    private static Recipe Eased(Recipe recipe, IEnumerable<Func<Recipe, Recipe>> steps) => steps.Aggregate(recipe, (eased, step) => step(eased));

    private static GivenQuantizers? Without(GivenQuantizers? given, string node) =>
        given is null ? null : given with { Weights = given.Weights.Where(pair => pair.Key != node).ToDictionary(pair => pair.Key, pair => pair.Value, StringComparer.Ordinal) };

    /// <summary>What each node costs when it alone is quantized, the most harmful first.</summary>
    private IReadOnlyList<NodeSensitivity> Sensitivity()
    {
        if (_sensitivity is not null) return _sensitivity;
        trials.Announce("sensitivity of nodes", "measuring");
        return _sensitivity = ModelComparison.Compare(original, maker.Make(options.Start).Model, maker.FirstSamples(SensitivitySamples), sensitivity: true, maker.Progress, cancellation).Sensitivity;
    }
}
