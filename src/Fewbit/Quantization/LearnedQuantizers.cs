using Fewbit.Graphs;
using Fewbit.Reconstruction;
using Fewbit.Tensors;

namespace Fewbit.Quantization;

/// <summary>Lets a method of learned rounding decide the quantizers of a model.</summary>
internal static class LearnedQuantizers
{
    /// <summary>The method that options ask for, with their steps and ranges.</summary>
    public static ReconstructionMethod MethodOf(QuantizationOptions options)
    {
        ReconstructionMethod defaults = options.Method switch
        {
            RoundingMethod.AdaRound => ReconstructionMethod.AdaRound(),
            RoundingMethod.Brecq => ReconstructionMethod.Brecq(),
            RoundingMethod.QDrop => ReconstructionMethod.QDrop(probability: 1 - (options.Learning.DropProbability ?? 0.5)),
            _ => throw new ArgumentException($"{options.Method} learns nothing", nameof(options)),
        };
        (int? iterations, int? steps) = (options.Learning.Iterations, options.Learning.ActivationIterations ?? options.Learning.Iterations / 4);
        return defaults with
        {
            Passes = [.. defaults.Passes.Select(pass => pass with
            {
                Iterations = (pass.Rounding is null ? steps : iterations) ?? pass.Iterations, RoundingWeight = options.Learning.RoundingWeight ?? pass.RoundingWeight,
                BatchSize = options.Learning.BatchSize ?? pass.BatchSize, RoundingRate = options.Learning.RoundingRate ?? pass.RoundingRate,
                StepRate = pass.StepRate > 0 ? options.Learning.ScaleRate ?? pass.StepRate : 0,
                Input = (pass.Rounding is null ? null : InputOf(options.Learning)) ?? pass.Input, Objective = (pass.Rounding is null ? null : ObjectiveOf(options.Learning)) ?? pass.Objective,
            })],
            WeightRange = options.WeightRange,
            ActivationRange = options.ActivationRange,
        };
    }

    private static IUnitInput? InputOf(LearningOptions learning) => learning.UnitInput switch
    {
        UnitInput.FullPrecision => new FullPrecisionInput(),
        UnitInput.QuantizedPrefix => new QuantizedPrefixInput(),
        UnitInput.RandomMix => new RandomMixInput(learning.MixProbability),
        _ => null,
    };

    private static IObjective? ObjectiveOf(LearningOptions learning) => learning.Objective switch
    {
        LearningObjective.OutputError => new OutputError(learning.ObjectivePower),
        LearningObjective.DiagonalFisher => new DiagonalFisherError(),
        LearningObjective.FullFisher => new FullFisherError(),
        _ => null,
    };

    /// <summary>Learns.</summary>
    /// <param name="prepared">The graph that the sites are of.</param>
    /// <param name="sites">Where quantizers stand.</param>
    /// <param name="samples">For each input of the model, all samples along dimension 0.</param>
    /// <param name="options">Method and limits.</param>
    /// <param name="progress">Told where the work stands.</param>
    /// <param name="cancellation">Stops it; the checkpoint is written first.</param>
    public static (GivenQuantizers Quantizers, IReadOnlyList<UnitReport> Units) Learn(
        Graph prepared, QuantizerSites sites, IReadOnlyDictionary<string, Tensor> samples, QuantizationOptions options, IProgress<QuantizationProgress>? progress, CancellationToken cancellation)
    {
        LearningOptions learning = options.Learning;
        Reconstructor reconstructor = MethodOf(options).CreateReconstructor(prepared, sites, new()
        {
            Seed = learning.Seed, TimeBudget = learning.TimeBudget, StepsByUnit = learning.StepsByUnit, Checkpoint = learning.Checkpoint, CheckpointInterval = learning.CheckpointInterval,
        });
        reconstructor.Run(samples, progress is null ? null : new Relay(progress), cancellation);
        QuantizedState state = reconstructor.State;
        var weights = sites.Weights.ToDictionary(site => site.Node.Name, site => new GivenWeight(state.Codes[site.Node.Name], state.GridOf(site)), StringComparer.Ordinal);
        return (new(weights, state.Activations), reconstructor.Reports);
    }

    private sealed class Relay(IProgress<QuantizationProgress> progress) : IProgress<ReconstructionProgress>
    {
        public void Report(ReconstructionProgress value) =>
            progress.Report(new("learning", (long)value.UnitIndex * value.Iterations + value.Iteration, (long)value.UnitCount * value.Iterations) { Learning = value });
    }
}
