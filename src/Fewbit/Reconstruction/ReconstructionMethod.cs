using Fewbit.Calibration;
using Fewbit.Formats;
using Fewbit.Graphs;
using Fewbit.Quantization;
using Fewbit.Rounding;
using Fewbit.Tensors;

namespace Fewbit.Reconstruction;

/// <summary>A named choice of plugs: units, passes, range searches, and what keeps 8 bits.</summary>
/// <remarks>The defaults are those of the codes that the papers' authors published.</remarks>
internal sealed record ReconstructionMethod
{
    /// <summary>Name as users write it.</summary>
    public required string Name { get; init; }

    /// <summary>What is reconstructed at once.</summary>
    public UnitGranularity Granularity { get; init; } = UnitGranularity.Blocks;

    /// <summary>What is done, in order.</summary>
    public required IReadOnlyList<ReconstructionPass> Passes { get; init; }

    /// <summary>The paper's search for ranges, for integers of up to 8 bits with one scale a channel; other formats and groups take the scale of the least squared error.</summary>
    public required RangeRule Range { get; init; }

    /// <summary>Search for the ranges of weights, whatever their format; null for that of the method.</summary>
    public RangeRule? WeightRange { get; init; }

    /// <summary>Search for the ranges of activations, whatever their format; null for that of the method.</summary>
    public RangeRule? ActivationRange { get; init; }

    /// <summary>Samples that ranges of activations are fitted to.</summary>
    public int RangeSamples { get; init; } = 256;

    /// <summary>Which numbers these are.</summary>
    public RangeSource RangeSource { get; init; }

    /// <summary>Whether the first layers' results keep 8 bits.</summary>
    public bool KeepFirstOutputAt8Bits { get; init; }

    /// <summary>Whether what the last layers read keeps 8 bits.</summary>
    public bool KeepLastInputAt8Bits { get; init; }

    /// <summary>AdaRound: one layer a unit, weights first, then the activations' steps of blocks as BRECQ learns them.</summary>
    /// <param name="iterations">Steps of each layer.</param>
    /// <param name="stepIterations">Steps of each unit for the activations; they count only where activations are quantized.</param>
    /// <remarks>Nagel et al., 2020, arXiv:2004.10568, with AIMET's cosine. The paper learns weights alone; the second pass and the rules for first and last layers are BRECQ's.</remarks>
    public static ReconstructionMethod AdaRound(int iterations = 10_000, int stepIterations = 5_000)
    {
        ReconstructionMethod brecq = Brecq(iterations, stepIterations);
        return brecq with { Name = "adaround", Granularity = UnitGranularity.Layers, Passes = [brecq.Passes[0] with { Schedule = BetaSchedule.Cosine }, brecq.Passes[1]] };
    }

    /// <summary>BRECQ: blocks as units, weights first, then the activations' steps.</summary>
    /// <param name="iterations">Steps of each unit for the weights.</param>
    /// <param name="stepIterations">Steps of each unit for the activations.</param>
    /// <remarks>Li et al., 2021, arXiv:2102.05426. As in the published code the second pass reads the float network's values, and the error counts squared, not weighted by Fisher information.</remarks>
    public static ReconstructionMethod Brecq(int iterations = 20_000, int stepIterations = 5_000) => new()
    {
        Name = "brecq",
        Range = RangeRule.Brecq,
        RangeSamples = 64,
        RangeSource = RangeSource.QuantizedNetwork,
        KeepFirstOutputAt8Bits = true,
        Passes =
        [
            new() { Name = "weights", Iterations = iterations, Rounding = new AdaRound(), Input = new QuantizedPrefixInput(), SkipsFirst = true },
            new() { Name = "activations", Iterations = stepIterations, QuantizesActivations = true, StepRate = 4e-4, Input = new FullPrecisionInput(), Objective = new OutputError(2.4), SkipsFirst = true },
        ],
    };

    /// <summary>QDrop: blocks as units, weights and activations' steps together, quantization dropped at random.</summary>
    /// <param name="iterations">Steps of each unit.</param>
    /// <param name="probability">That an element is quantized while the units learn.</param>
    /// <remarks>Wei et al., 2022, arXiv:2203.05740.</remarks>
    public static ReconstructionMethod QDrop(int iterations = 20_000, double probability = 0.5) => new()
    {
        Name = "qdrop",
        Range = RangeRule.QDrop,
        KeepLastInputAt8Bits = true,
        Passes =
        [
            new()
            {
                Name = "weights and activations", Iterations = iterations, Rounding = new AdaRound(), QuantizesActivations = true, StepRate = 4e-5, ScalesStepGradients = true,
                QuantizationProbability = probability, Input = new RandomMixInput(probability), DrawsWithRepeats = true,
            },
        ],
    };

    /// <summary>No learning: nearest codes.</summary>
    /// <param name="method">The method whose ranges and rules are taken.</param>
    public static ReconstructionMethod Nearest(ReconstructionMethod method) =>
        method with { Name = "nearest", Passes = [.. method.Passes.Select(pass => pass with { Iterations = 0 })] };

    /// <summary>The options with the method's rules of what keeps 8 bits.</summary>
    public QuantizationOptions Apply(QuantizationOptions options) => options with { KeepFirstOutputAt8Bits = KeepFirstOutputAt8Bits, KeepLastInputAt8Bits = KeepLastInputAt8Bits };

    /// <summary>What will do the work on a graph.</summary>
    /// <param name="prepared">A graph that <see cref="Preparation"/> made.</param>
    /// <param name="sites">Where quantizers stand.</param>
    /// <param name="limits">Seed, budgets, checkpoint; passes, units and ranges are the method's.</param>
    public Reconstructor CreateReconstructor(Graph prepared, QuantizerSites sites, ReconstructionOptions limits)
    {
        var grids = sites.Weights.ToDictionary(site => site.Node.Name, site => WeightQuantizer.FitChannels(site.Weight.Constant!, site.Axis, site.Format, RuleOf(site.Range ?? WeightRange, site.Format, site.Granularity.GroupSize is not null), site.Granularity), StringComparer.Ordinal);
        ReconstructionOptions options = limits with { Passes = Passes, Granularity = Granularity, RangeSamples = RangeSamples, RangeSource = RangeSource };
        return new(prepared, sites, grids, Fit, options);
    }

    private RangeRule RuleOf(RangeRule? stated, NumberFormat format, bool isGrouped = false) => stated ?? (format is IntegerFormat { BitWidth: <= 8 } && !isGrouped ? Range : RangeRule.MeanSquaredError);

    private QuantizationParameters Fit(ActivationSite site, Tensor values)
    {
        RangeRule rule = RuleOf(site.Range ?? ActivationRange, site.Format);
        // With 8 bits and values on both sides a paper's search is slow, and the papers have no quantizer there.
        RangeEstimator estimator = (site.Range is null && rule.IsPaperSearch && !site.IsPaperSite ? RangeRule.MeanSquaredError : rule).CreateEstimator();
        estimator.Observe(values.Span<float>());
        (float scale, int zeroPoint) = estimator.Fit(site.Format, site.Scheme);
        return new(site.Format, scale, zeroPoint);
    }
}
