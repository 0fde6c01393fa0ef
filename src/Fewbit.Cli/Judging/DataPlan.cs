using Fewbit.Data;
using Fewbit.Graphs;

namespace Fewbit.Cli.Judging;

/// <summary>Which samples calibrate and which judge: never the same.</summary>
/// <param name="Pool">Samples that calibration ones are drawn from; presets are tried on some of these.</param>
/// <param name="Calibration">Samples that ranges are estimated on.</param>
/// <param name="Judging">Samples that the result is judged on.</param>
/// <param name="Remark">What a person must know about the choice; null where nothing.</param>
internal sealed record DataPlan(DataSet Pool, DataSet Calibration, DataSet Judging, string? Remark)
{
    /// <summary>Opens one or two data sets; of a single one a seeded fifth is held out for judging.</summary>
    /// <param name="settings">How data are read.</param>
    /// <param name="inputs">The model's inputs.</param>
    /// <param name="calibration">Path of the calibration data; null where only judging data are given.</param>
    /// <param name="data">Path of the judging data; null where only calibration data are given.</param>
    /// <param name="samples">Samples to calibrate on, at most.</param>
    /// <param name="seed">Seed of split and draw.</param>
    public static DataPlan Open(DataSettings settings, IReadOnlyList<ValueInfo> inputs, string? calibration, string? data, int samples, long seed)
    {
        string first = calibration ?? data ?? throw new InvalidOperationException("Bug in a command: no data are given");
        bool isOne = calibration is null || data is null || Path.GetFullPath(calibration) == Path.GetFullPath(data);
        if (!isOne)
        {
            // The reference pictures are those of the judging data.
            DataSet pool = (settings with { Reference = null }).Open(first, inputs);
            return new(pool, SampleSelection.Draw(pool, samples, seed), settings.Open(data!, inputs), null);
        }
        (DataSet kept, DataSet heldOut) = SampleSelection.Split(settings.Open(first, inputs), seed);
        return new(kept, SampleSelection.Draw(kept, samples, seed), heldOut, $"{Words.Plural(heldOut.Count, "sample")} of {first} (a fifth, drawn with seed {seed}) {(heldOut.Count == 1 ? "is" : "are")} held out for judging; --data names others");
    }
}
