using System.Diagnostics;
using System.Globalization;
using System.Security.Cryptography;
using Fewbit.Benchmarks.Results;
using Fewbit.Onnx;
using Fewbit.Quantization;
using Fewbit.Tensors.Threading;

namespace Fewbit.Benchmarks.FormatTables;

/// <summary>Quantizes classifiers in every combination of formats, range rules, granularities and transforms, and judges each row. What a results file holds already is not done again.</summary>
internal static class FormatRun
{
    private const string Usage = "expected: formats FOLDER [--only TEXT] [--seed N] [--pictures N] [--times] [--page]";

    /// <param name="args">
    /// Folder of the results; --only: rows whose key holds the text, or --only others; --seed: of the draw of calibration pictures (1); --pictures: how many of a set judge (all);
    /// --times: measures each structure in place of judging rows; --page: writes docs/results/formats.md from what there is.
    /// </param>
    public static void Run(string[] args)
    {
        if (args.Length == 0 || args[0].StartsWith("--", StringComparison.Ordinal)) throw new ArgumentException(Usage);
        string folder = args[0], only = Option(args, "--only") ?? "";
        long seed = long.Parse(Option(args, "--seed") ?? "1", CultureInfo.InvariantCulture);
        Directory.CreateDirectory(folder);
        Workers.ThreadCount = 1;
        FormatRow[] rows = only == "others" ? [.. FormatRow.Others()] : [.. Rows().Where(row => row.Key.Contains(only, StringComparison.Ordinal))];
        if (args.Contains("--times")) FormatTimes.Measure(folder, rows);
        else if (args.Contains("--page")) FormatPage.Write(folder);
        else Judge(rows, seed, int.Parse(Option(args, "--pictures") ?? "2147483647", CultureInfo.InvariantCulture), Path.Combine(folder, ResultsFile));
    }

    /// <summary>Name of the results file.</summary>
    public const string ResultsFile = "rows.jsonl";

    /// <summary>All rows: those nearest to the default first, so that a run that is stopped leaves whole tables.</summary>
    private static IEnumerable<FormatRow> Rows() =>
    [
        .. FormatRow.FactorialNetworks.SelectMany(FormatRow.Factorial).Where(row => row.Steps.Length < 2).OrderBy(row => row.Steps.Length),
        .. FormatRow.FactorialNetworks.SelectMany(network => FormatRow.Factorial(network).Where(row => row.Steps.Length >= 2).OrderBy(row => row.Steps.Length)),
        .. ((string[])["resnet20_jpegft", "resnet56"]).SelectMany(FormatRow.SmallFloats),
        .. FormatRow.Others(),
    ];

    private static void Judge(FormatRow[] rows, long seed, int pictures, string path)
    {
        var known = FormatRecord.Read(path).Where(record => record.Seed == seed && record.Error is null).ToDictionary(record => record.Row.Key, StringComparer.Ordinal);
        var networks = new Dictionary<string, JudgedNetwork>(StringComparer.Ordinal);
        foreach (FormatRow row in rows.Where(row => !known.ContainsKey(row.Key)))
        {
            if (!networks.TryGetValue(row.Network, out JudgedNetwork? network))
                networks[row.Network] = network = new(ModelCase.Classifiers(seed).Single(model => model.Name == row.Network), pictures);
            FormatRecord record = Make(network, row, seed, known.Values);
            record.AppendTo(path);
            known[row.Key] = record;
            Console.WriteLine(Summary(record));
        }
    }

    private static FormatRecord Make(JudgedNetwork network, FormatRow row, long seed, IEnumerable<FormatRecord> known)
    {
        QuantizationResult result;
        double seconds;
        try
        {
            (CalibratedModel calibrated, double calibration) = network.Calibrate(row);
            TimeSpan start = Process.GetCurrentProcess().TotalProcessorTime;
            result = calibrated.Quantize(row.Options.Resolve(), GivenQuantizers.None, []);
            seconds = calibration + (Process.GetCurrentProcess().TotalProcessorTime - start).TotalSeconds;
        }
        catch (Exception exception) when (exception is InvalidDataException or ArgumentException)
        {
            return new(row, seed, 0, network.FloatBytes, 0, 0, "", [], [], exception.Message);
        }
        byte[] file = OnnxFile.ToBytes(result.Model);
        string hash = Convert.ToHexString(SHA256.HashData(file));
        Dictionary<string, SetRecord> sets = known.FirstOrDefault(record => record.Hash == hash && record.Row.Network == row.Network)?.Sets ?? network.Judge(result.Model);
        return new(row, seed, seconds, network.FloatBytes, file.Length, result.Report.Size.PackedParameterBytes, hash, [.. result.Report.Transforms.Select(report => report.ToString())], sets);
    }

    private static string Summary(FormatRecord record) => string.Create(CultureInfo.InvariantCulture,
        $"{record.Row.Key}: {record.Error ?? string.Join("; ", record.Sets.Select(set => $"{set.Key} {100 * set.Value.Result.Difference:+0.00;-0.00}, KL {1000 * set.Value.Result.MeanKl:0.0}"))}, {record.Seconds:0.0} s");

    private static string? Option(string[] args, string name) => Array.IndexOf(args, name) is >= 0 and var at ? args.ElementAtOrDefault(at + 1) ?? throw new ArgumentException(Usage) : null;
}
