using System.Diagnostics;
using System.Text.Json;
using Fewbit.Benchmarks.Results;
using Fewbit.Graphs;
using Fewbit.Onnx;
using Fewbit.Quantization;
using Fewbit.Reconstruction;
using Fewbit.Tensors;
using Fewbit.Tensors.Threading;

namespace Fewbit.Benchmarks.Reconstruction;

/// <summary>One row with one seed: what it predicted on each picture, and how long it took.</summary>
/// <param name="Row">Key of the row.</param>
/// <param name="Seed">Seed.</param>
/// <param name="Seconds">Processor time of ranges and learning.</param>
/// <param name="Predictions">By file of pictures: the class of each, one digit.</param>
/// <param name="Codes">By node: the codes of its weight; rows that differ in activations alone start from them.</param>
internal sealed record ReconstructionRecord(string Row, ulong Seed, double Seconds, IReadOnlyDictionary<string, string> Predictions, IReadOnlyDictionary<string, int[]> Codes);

/// <summary>Quantizes CIFAR ResNet-20 in the settings of the page and keeps what each run predicts.</summary>
internal static class ReconstructionRun
{
    public static readonly string[] TestFiles = ["test_lossless_846.bin", "test_jpeg_10000.bin"];
    private const string CalibrationFile = "calib_lossless_1024.bin";

    /// <param name="args">Folder of the results; then keys of rows and seeds, all where none is given; --placement deploy for the rows of that placement.</param>
    public static void Run(string[] args)
    {
        const string usage = "expected: reconstruction FOLDER [--placement paper|deploy] [ROW ...] [SEED ...]";
        IReadOnlyList<ReconstructionRow> rows = ReconstructionRow.All;
        if (Array.IndexOf(args, "--placement") is >= 0 and var at)
        {
            rows = args.ElementAtOrDefault(at + 1) switch { "paper" => rows, "deploy" => ReconstructionRow.Deployed, _ => throw new ArgumentException(usage) };
            args = [.. args[..at], .. args[(at + 2)..]];
        }
        if (args.Length == 0) throw new ArgumentException(usage);
        Workers.ThreadCount = 1;
        string folder = args[0];
        Directory.CreateDirectory(folder);
        ulong[] seeds = [.. args[1..].Where(arg => ulong.TryParse(arg, out _)).Select(ulong.Parse)];
        string[] keys = [.. args[1..].Where(arg => !ulong.TryParse(arg, out _))];
        if (keys.FirstOrDefault(key => rows.All(row => row.Key != key)) is { } unknown) throw new ArgumentException($"there is no row '{unknown}', expected {string.Join(", ", rows.Select(row => row.Key))}");
        Graph model = OnnxFile.Load(Machine.Data("cifar10/models/resnet20.onnx")), prepared = Preparation.Prepare(model);
        foreach (ulong seed in seeds.Length > 0 ? seeds : [1005, 1006, 1007])
        {
            foreach (ReconstructionRow row in rows.Where(row => keys.Length == 0 || keys.Contains(row.Key)))
            {
                string path = Path.Combine(folder, $"{row.Key}-{seed}.json");
                if (!File.Exists(path)) File.WriteAllText(path, JsonSerializer.Serialize(Quantize(model, prepared, row, seed, folder)));
            }
        }
        ReconstructionPage.Write(folder, prepared);
    }

    private static ReconstructionRecord Quantize(Graph model, Graph prepared, ReconstructionRow row, ulong seed, string folder)
    {
        TimeSpan start = Process.GetCurrentProcess().TotalProcessorTime;
        QuantizerSites sites = QuantizerSites.Find(prepared, row.Options);
        ReconstructionRecord? weights = row.WeightsOf is { } key && File.Exists(Path.Combine(folder, $"{key}-{seed}.json"))
            ? JsonSerializer.Deserialize<ReconstructionRecord>(File.ReadAllText(Path.Combine(folder, $"{key}-{seed}.json"))) : null;
        ReconstructionMethod method = weights is null ? row.Method : row.Method with { Passes = [row.Method.Passes[0] with { Iterations = 0 }, .. row.Method.Passes.Skip(1)] };
        Reconstructor reconstructor = method.CreateReconstructor(prepared, sites, new() { Seed = seed, Checkpoint = Path.Combine(folder, $"{row.Key}-{seed}.checkpoint") });
        foreach (WeightSite site in weights is null ? [] : sites.Weights) reconstructor.State.SetCodes(site, Tensor.From<int>(weights!.Codes[site.Node.Name], site.Weight.Constant!.Shape));
        (Tensor pictures, _) = ReconstructionPictures.Load(prepared, CalibrationFile);
        reconstructor.Run(new Dictionary<string, Tensor> { [prepared.Inputs[0].Name] = pictures }, new Lines());
        double seconds = (Process.GetCurrentProcess().TotalProcessorTime - start).TotalSeconds + (weights?.Seconds ?? 0);
        foreach (UnitReport unit in reconstructor.Reports) Console.WriteLine($"  {row.Key} {seed} {unit}");
        Graph result = row.Placement == QuantizerPlacement.Paper ? Simulate(prepared, sites, reconstructor.State) : Export(model, sites, row, reconstructor.State, pictures.Rows(0, 64));
        var predictions = TestFiles.ToDictionary(file => file, file => string.Concat(ReconstructionPictures.Classes(ReconstructionPictures.Scores(result, ReconstructionPictures.Load(prepared, file).Pictures))));
        foreach (string file in TestFiles)
        {
            int[] labels = ReconstructionPictures.Load(prepared, file).Labels;
            Console.WriteLine($"{row.Key} {seed} {file}: {100.0 * labels.Index().Count(pair => predictions[file][pair.Index] - '0' == pair.Item) / labels.Length:0.00}, {seconds:0} CPU s");
        }
        var codes = reconstructor.State.Codes.ToDictionary(pair => pair.Key, pair => pair.Value.Span<int>().ToArray());
        return new(row.Key, seed, seconds, predictions, codes);
    }

    private static Graph Simulate(Graph prepared, QuantizerSites sites, QuantizedState state) => SimulatedGraph.Build(prepared, sites, state.Activations,
        sites.Weights.ToDictionary(site => site.Node.Name, state.WeightOf, StringComparer.Ordinal));

    /// <summary>The model as it is written: its codes are those of ONNX Runtime.</summary>
    private static Graph Export(Graph model, QuantizerSites sites, ReconstructionRow row, QuantizedState state, Tensor pictures)
    {
        var weights = sites.Weights.ToDictionary(site => site.Node.Name, site => new GivenWeight(state.Codes[site.Node.Name], state.GridOf(site)), StringComparer.Ordinal);
        return Quantizer.Write(model, [new Dictionary<string, Tensor> { [model.Inputs[0].Name] = pictures }], row.Options, new(weights, state.Activations)).Model;
    }

    private sealed class Lines : IProgress<ReconstructionProgress>
    {
        private string _unit = "";

        public void Report(ReconstructionProgress value)
        {
            if (value.Iteration < value.Iterations && value.Unit == _unit) return;
            _unit = value.Unit;
            Console.WriteLine($"    {value.Pass} {value.UnitIndex + 1}/{value.UnitCount} {value.Unit} {value.Iteration}/{value.Iterations} loss {value.Loss:G5}, {value.StepsPerSecond:0.0} steps a second");
        }
    }
}
