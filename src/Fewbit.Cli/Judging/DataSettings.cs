using System.CommandLine;
using Fewbit.Cli.Console;
using Fewbit.Data;
using Fewbit.Data.Text;
using Fewbit.Evaluation;
using Fewbit.Graphs;

namespace Fewbit.Cli.Judging;

/// <summary>How data are read and turned into a model's inputs.</summary>
/// <param name="Preprocess">Preset or JSON file; null takes what the model's metadata states, or finds out.</param>
/// <param name="Labels">File with the model's classes in order.</param>
/// <param name="LabelPattern">Regular expression on file names whose group is the class.</param>
/// <param name="LabelKey">Array or file that holds the labels.</param>
/// <param name="BatchSize">Samples a run.</param>
/// <param name="Reference">Folder with the pictures of the judging data in high resolution.</param>
/// <param name="Vocabulary">File with the numbers of a text's tokens.</param>
/// <param name="SequenceLength">Tokens a row; null takes the model's, the file name's, or 128.</param>
internal sealed record DataSettings(
    string? Preprocess = null, string? Labels = null, string? LabelPattern = null, string? LabelKey = null, int BatchSize = 32, string? Reference = null, string? Vocabulary = null, int? SequenceLength = null)
{
    private const int DefaultSequence = 128;

    public SampleBatchesOptions Batches => new() { BatchSize = BatchSize };

    /// <summary>Opens a data set and checks that its samples fit the inputs of a model.</summary>
    /// <exception cref="ArgumentException">They do not: the message names input, expected, found.</exception>
    public DataSet Open(string path, IReadOnlyList<ValueInfo> inputs)
    {
        DataSet data = Reference is not null ? PicturePairs.Open(path, Reference) : TokensFor(path, inputs)
            ?? DataSetReader.Open(path, new() { Labels = Labels is null ? null : LabelMap.Read(Labels), LabelPattern = LabelPattern, LabelKey = LabelKey });
        if (data.Count == 0) throw new InvalidDataException($"{path}: holds no samples");
        _ = new SampleBatches(data, inputs, Preprocessing.ZeroTo255);
        return data;
    }

    /// <summary>The text or the token numbers in a file; null where the model takes no tokens alone or the file holds arrays.</summary>
    private TokenRows? TokensFor(string path, IReadOnlyList<ValueInfo> inputs)
    {
        if (inputs is not [var input] || PerplexityMetric.TokensOf(inputs) is null || !File.Exists(path) || Path.GetExtension(path).ToUpperInvariant() is ".NPY" or ".NPZ") return null;
        if (SequenceLength < 2) throw new UsageException($"--sequence-length is {SequenceLength}, expected at least 2: a row has a token to predict from");
        bool isNumbers = path.EndsWith(".bin", StringComparison.OrdinalIgnoreCase);
        TokenStream stream = TokenStream.Open(path, isNumbers ? null : Words(path));
        int? ofName = TokenRows.ShapeInName(path, stream.Tokens.Length)?.Steps, ofModel = input.Shape is { } shape && shape[1].IsKnown ? (int)shape[1].Length : null;
        int steps = SequenceLength ?? ofModel ?? ofName ?? DefaultSequence;
        bool isSamples = steps == ofName || isNumbers && SequenceLength is not null && stream.Tokens.Length % steps == 0;
        return isSamples ? TokenRows.Samples(stream, steps) : TokenRows.Windows(stream, steps);
    }

    private Vocabulary Words(string path)
    {
        string beside = Path.Combine(Path.GetDirectoryName(Path.GetFullPath(path))!, "vocab.json");
        string? file = Vocabulary ?? (File.Exists(beside) ? beside : null);
        return file is null ? throw new UsageException($"{path}: is text, and the numbers of its tokens are the model's own: --vocabulary FILE names them, a JSON list of tokens or a map from token to number")
            : Data.Text.Vocabulary.Load(file);
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

    private readonly Option<string?> _reference = new("--reference") { Description = "The pictures that are judged on in high resolution, under the same names: for super-resolution.", HelpName = "DIR" };
    private readonly Option<string?> _vocabulary = new("--vocabulary") { Description = "Numbers of a text's tokens: a JSON list, or a map from token to number. Default: vocab.json beside the text.", HelpName = "FILE" };
    private readonly Option<int?> _length = new("--sequence-length") { Description = "Tokens a row of a text. Default: the model's, what the file name states (32x96: 32 samples of 96), or 128.", HelpName = "N" };

    public void AddTo(Command command)
    {
        foreach (Option option in new Option[] { _preprocess, _labels, _pattern, _key, _batch, _reference, _vocabulary, _length }) command.Options.Add(option);
    }

    public DataSettings Read(ParseResult parsed) =>
        new(parsed.GetValue(_preprocess), parsed.GetValue(_labels), parsed.GetValue(_pattern), parsed.GetValue(_key), parsed.GetValue(_batch), parsed.GetValue(_reference), parsed.GetValue(_vocabulary), parsed.GetValue(_length));
}
