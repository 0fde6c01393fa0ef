using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using Fewbit.Cli.Console;
using Fewbit.Cli.Quantizing;
using Fewbit.Training;

namespace Fewbit.Cli.Training;

/// <summary>The figures of each epoch as a CSV table or as JSON lines, complete after each epoch.</summary>
internal static class MetricsFile
{
    private static readonly string[] s_columns = ["epoch", "step", "loss", "learningRate", "seconds", "validationLoss", "top1", "top5", "perplexity", "psnr", "ssim"];

    /// <exception cref="UsageException">The name tells neither CSV nor JSON lines.</exception>
    public static void Check(string path)
    {
        if (!IsCsv(path) && !path.EndsWith(".jsonl", StringComparison.OrdinalIgnoreCase)) throw new UsageException($"--metrics is '{path}', expected a name that ends in .csv or .jsonl");
    }

    public static void Write(string path, IReadOnlyList<EpochReport> epochs)
    {
        IEnumerable<string> lines = IsCsv(path)
            ? [string.Join(',', s_columns), .. epochs.Select(epoch => string.Join(',', Values(epoch).Select(value => value?.ToString("R", CultureInfo.InvariantCulture) ?? "")))]
            : epochs.Select(epoch => Json(epoch).ToJsonString());
        TargetFile.WriteText(path, string.Concat(lines.Select(line => line + "\n")));
    }

    private static bool IsCsv(string path) => path.EndsWith(".csv", StringComparison.OrdinalIgnoreCase);

    private static JsonObject Json(EpochReport epoch)
    {
        var line = new JsonObject();
        foreach ((string name, double? value) in s_columns.Zip(Values(epoch)))
        {
            if (value is { } number && double.IsFinite(number)) line[name] = JsonSerializer.SerializeToNode(number);
        }
        return line;
    }

    private static double?[] Values(EpochReport epoch) =>
    [
        // A resumed run does not know how long the epochs before it took.
        epoch.Epoch, epoch.Steps, epoch.Loss, epoch.LearningRate, epoch.Seconds > 0 ? epoch.Seconds : null,
        epoch.Validation?.Loss, epoch.Validation?.Top1, epoch.Validation?.Top5, epoch.Validation?.Perplexity, epoch.Validation?.Psnr, epoch.Validation?.Ssim,
    ];
}
