using System.Text.Json;
using Fewbit.Evaluation;

namespace Fewbit.Benchmarks.FormatTables;

/// <summary>What one row gave on a set of pictures.</summary>
/// <param name="Result">Against the float network.</param>
/// <param name="Right">A bit a picture, lowest first: whether its label was found.</param>
internal sealed record SetRecord(ClassificationResult Result, byte[] Right)
{
    /// <summary>Pictures that only this row is right on, and those that only the other is right on.</summary>
    public (long Gained, long Lost) Against(SetRecord other)
    {
        long gained = 0, lost = 0;
        foreach ((byte mine, byte theirs) in Right.Zip(other.Right))
        {
            gained += byte.PopCount((byte)(mine & ~theirs));
            lost += byte.PopCount((byte)(theirs & ~mine));
        }
        return (gained, lost);
    }
}

/// <summary>A row with what it gave: a line of the results file.</summary>
/// <param name="Row">What was done.</param>
/// <param name="Seed">Seed of the draw of calibration pictures.</param>
/// <param name="Seconds">Processor time of calibration and quantization.</param>
/// <param name="FloatBytes">The float model's file.</param>
/// <param name="Bytes">The written file.</param>
/// <param name="PackedBytes">Constants with each code in its own number of bits.</param>
/// <param name="Hash">Of the written file: rows with equal files are judged once.</param>
/// <param name="Notes">What transforms did.</param>
/// <param name="Sets">By name of the set; the first one, of training pictures, is what the best row is chosen by.</param>
/// <param name="Error">Why there is no result; null where there is one.</param>
internal sealed record FormatRecord(FormatRow Row, long Seed, double Seconds, long FloatBytes, long Bytes, long PackedBytes, string Hash, string[] Notes, Dictionary<string, SetRecord> Sets, string? Error = null)
{
    /// <summary>Name of the set of training pictures that rows are chosen by.</summary>
    public const string Selection = "selection";

    /// <summary>Mean divergence from the float network on training pictures, in nats.</summary>
    public double SelectionKl => Sets.TryGetValue(Selection, out SetRecord? set) ? set.Result.MeanKl : double.PositiveInfinity;

    /// <summary>The latest record of each row and seed of a results file; a line that a stop cut off is left out.</summary>
    public static IReadOnlyList<FormatRecord> Read(string path)
    {
        var records = new List<FormatRecord>();
        foreach (string line in File.Exists(path) ? File.ReadLines(path) : [])
        {
            // A cut-off line is the last one, and lacks its closing brace.
            if (line.EndsWith('}')) records.Add(JsonSerializer.Deserialize<FormatRecord>(line, s_options)!);
        }
        return [.. records.GroupBy(record => (record.Row.Key, record.Seed)).Select(group => group.Last())];
    }

    /// <summary>Adds a line to a results file.</summary>
    public void AppendTo(string path) => File.AppendAllText(path, JsonSerializer.Serialize(this, s_options) + "\n");

    private static readonly JsonSerializerOptions s_options = new() { NumberHandling = System.Text.Json.Serialization.JsonNumberHandling.AllowNamedFloatingPointLiterals };
}
