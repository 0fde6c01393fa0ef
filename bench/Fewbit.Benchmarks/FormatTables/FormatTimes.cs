using System.Globalization;
using System.Text.Json;
using Fewbit.Benchmarks.Results;
using Fewbit.Data;
using Fewbit.Graphs;
using Fewbit.Onnx;
using Fewbit.OnnxRuntime;
using Fewbit.Quantization;
using Fewbit.Runtime;
using Fewbit.Tensors;

namespace Fewbit.Benchmarks.FormatTables;

/// <summary>Milliseconds of one picture on one thread; ranges and transforms do not change what is computed, so rows of one structure share them.</summary>
/// <param name="Structure">Network, formats and granularity.</param>
/// <param name="Fewbit">Exact evaluation.</param>
/// <param name="OnnxRuntime">The written file; NaN where it does not load.</param>
/// <param name="FloatOnnxRuntime">The float file.</param>
internal sealed record FormatTimes(string Structure, double Fewbit, double OnnxRuntime, double FloatOnnxRuntime)
{
    private const int Rounds = 5;

    /// <summary>The structure of a row.</summary>
    public static string Of(FormatRow row) => $"{row.Network} {row.Formats} {row.Granularity}";

    /// <summary>The times of a folder, by structure.</summary>
    public static IReadOnlyDictionary<string, FormatTimes> Read(string folder) => (File.Exists(FileOf(folder)) ? File.ReadLines(FileOf(folder)) : [])
        .Select(line => JsonSerializer.Deserialize<FormatTimes>(line, s_options)!).GroupBy(times => times.Structure).ToDictionary(group => group.Key, group => group.Last(), StringComparer.Ordinal);

    /// <summary>Measures each structure among the rows that the folder does not hold.</summary>
    public static void Measure(string folder, IEnumerable<FormatRow> rows)
    {
        IReadOnlyDictionary<string, FormatTimes> known = Read(folder);
        foreach (FormatRow row in rows.DistinctBy(Of).Where(row => !known.ContainsKey(Of(row))))
        {
            ModelCase model = ModelCase.Classifiers().Single(model => model.Name == row.Network);
            Graph graph = model.Load();
            SampleBatch batch = model.Calibration(graph).First();
            FormatTimes times = Time(Of(row), graph, batch.Inputs, row.Options);
            File.AppendAllText(FileOf(folder), JsonSerializer.Serialize(times, s_options) + "\n");
            Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{times.Structure}: Fewbit {times.Fewbit:F2} ms, ONNX Runtime {times.OnnxRuntime:F2} ms, float {times.FloatOnnxRuntime:F2} ms"));
        }
    }

    private static FormatTimes Time(string structure, Graph graph, IReadOnlyDictionary<string, Tensor> batch, QuantizationOptions options)
    {
        Graph quantized = Quantizer.For(graph).Calibrate([batch]).RunAsync(options).GetAwaiter().GetResult().Model;
        var one = batch.ToDictionary(pair => pair.Key, pair => pair.Value.Rows(0, 1).Copy());
        using ModelRunner fewbit = ModelRunner.From(quantized, new() { Threads = 1 });
        Results.Rounds.WarmUp(() => fewbit.Run(one));
        double own = Results.Rounds.Median(Enumerable.Range(0, Rounds).Select(_ => Results.Rounds.Milliseconds(() => fewbit.Run(one))));
        return new(structure, own, InRuntime(quantized, one), InRuntime(graph, one));
    }

    private static double InRuntime(Graph graph, Dictionary<string, Tensor> one)
    {
        try
        {
            using OnnxRuntimeSession session = OnnxRuntimeSession.Load(Machine.Runtime, OnnxFile.ToBytes(graph), new() { Threads = 1 });
            return session.Time(one).Median.TotalMilliseconds;
        }
        catch (OnnxRuntimeException)
        {
            return double.NaN;
        }
    }

    private static string FileOf(string folder) => Path.Combine(folder, "times.jsonl");

    private static readonly JsonSerializerOptions s_options = new() { NumberHandling = System.Text.Json.Serialization.JsonNumberHandling.AllowNamedFloatingPointLiterals };
}
