using System.CommandLine;
using Fewbit.Data;
using Fewbit.Graphs;

namespace Fewbit.Cli.Judging;

/// <summary>How data are read and turned into a model's inputs.</summary>
/// <param name="Preprocess">Preset or JSON file; null takes what the model's metadata states, or finds out.</param>
/// <param name="Labels">File with the model's classes in order.</param>
/// <param name="LabelPattern">Regular expression on file names whose group is the class.</param>
/// <param name="LabelKey">Array or file that holds the labels.</param>
/// <param name="BatchSize">Samples a run.</param>
internal sealed record DataSettings(string? Preprocess = null, string? Labels = null, string? LabelPattern = null, string? LabelKey = null, int BatchSize = 32)
{
    public SampleBatchesOptions Batches => new() { BatchSize = BatchSize };

    /// <summary>Opens a data set and checks that its samples fit the inputs of a model.</summary>
    /// <exception cref="ArgumentException">They do not: the message names input, expected, found.</exception>
    public DataSet Open(string path, IReadOnlyList<ValueInfo> inputs)
    {
        DataSet data = DataSetReader.Open(path, new() { Labels = Labels is null ? null : LabelMap.Read(Labels), LabelPattern = LabelPattern, LabelKey = LabelKey });
        if (data.Count == 0) throw new InvalidDataException($"{path}: holds no samples");
        _ = new SampleBatches(data, inputs, Preprocessing.ZeroTo255);
        return data;
    }
}

/// <summary>The options for data that several commands share.</summary>
internal sealed class DataOptions
{
    private readonly Option<string?> _preprocess = new("--preprocess", "-p") { Description = $"From picture to input: {string.Join(", ", Preprocessing.Presets.Select(preset => preset.Name))}, or a JSON file. Default: as the model's metadata states, else the preset that suits best.", HelpName = "NAME|FILE" };
    private readonly Option<string?> _labels = new("--labels") { Description = "The model's classes in its order: a name a line, or index, tab, names.", HelpName = "FILE" };
    private readonly Option<string?> _pattern = new("--label-pattern") { Description = "Regular expression on file names whose group is the class, such as \"^(\\d+)_\".", HelpName = "REGEX" };
    private readonly Option<string?> _key = new("--label-key") { Description = "Array of an .npz file, or .npy file, that holds the labels.", HelpName = "NAME" };
    private readonly Option<int> _batch = new("--batch") { Description = "Samples a run.", HelpName = "N", DefaultValueFactory = _ => 32 };

    public void AddTo(Command command)
    {
        foreach (Option option in new Option[] { _preprocess, _labels, _pattern, _key, _batch }) command.Options.Add(option);
    }

    public DataSettings Read(ParseResult parsed) =>
        new(parsed.GetValue(_preprocess), parsed.GetValue(_labels), parsed.GetValue(_pattern), parsed.GetValue(_key), parsed.GetValue(_batch));
}
