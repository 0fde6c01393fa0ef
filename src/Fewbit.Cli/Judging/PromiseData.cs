using Fewbit.Data;
using Fewbit.Graphs;

namespace Fewbit.Cli.Judging;

/// <summary>The data of a promise: what calibrates, what chooses among candidates, and what the promise is made on, never the same.</summary>
/// <param name="Plan">Calibration samples, and those that the result is judged on in the end.</param>
/// <param name="Choosing">Samples that candidates are chosen by: a fifth.</param>
/// <param name="HeldOut">Samples that the promise is made on: a fifth.</param>
internal sealed record PromiseData(DataPlan Plan, DataSet Choosing, DataSet HeldOut)
{
    /// <summary>One of so many samples is held out.</summary>
    public const int Parts = 5;

    private const int FewestSamples = 5, MostChoosing = 2000;

    /// <summary>Splits the calibration data.</summary>
    /// <param name="settings">How data are read.</param>
    /// <param name="inputs">The model's inputs.</param>
    /// <param name="calibration">Path of the data of the search.</param>
    /// <param name="data">Path of other data for the judgement at the end; null for the held-out samples.</param>
    /// <param name="samples">Samples to calibrate on, at most.</param>
    /// <param name="seed">Seed of split and draw.</param>
    /// <exception cref="InvalidDataException">There are fewer samples than parts.</exception>
    public static PromiseData Open(DataSettings settings, IReadOnlyList<ValueInfo> inputs, string calibration, string? data, int samples, long seed)
    {
        DataSet all = settings.Open(calibration, inputs);
        if (all.Count < FewestSamples) throw new InvalidDataException($"{calibration}: holds {Words.Plural(all.Count, "sample")}, and --max-drop needs {FewestSamples} at least: three fifths calibrate, a fifth chooses, a fifth is held out for the promise");
        (DataSet kept, DataSet heldOut) = SampleSelection.Split(all, seed, 1.0 / Parts);
        (DataSet pool, DataSet choosing) = SampleSelection.Split(kept, seed, 1.0 / (Parts - 1));
        choosing = SampleSelection.Draw(choosing, MostChoosing, seed);
        bool isOther = data is not null && Path.GetFullPath(data) != Path.GetFullPath(calibration);
        string remark = $"{Words.Plural(choosing.Count, "sample")} of {calibration} choose among candidates, {Words.Whole(heldOut.Count)} are held out for the promise (a fifth each, drawn with seed {seed})";
        return new(new(pool, SampleSelection.Draw(pool, samples, seed), isOther ? settings.Open(data!, inputs) : heldOut, remark), choosing, heldOut);
    }
}
