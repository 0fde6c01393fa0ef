using System.Globalization;
using System.Text;

namespace Fewbit.Fuzzing.Campaign;

/// <summary>The figures of a campaign as a page.</summary>
internal static class FuzzReport
{
    /// <summary>What a reader of the page must know.</summary>
    public const string Introduction = """
        # Hostile files

        A model, a picture, an array file, a table, a file of weights or a checkpoint is untrusted input. Seeded mutations of such files are read, and models are also prepared, compiled and run on small random inputs,
        in child processes: a stack overflow, a kill, an access outside of memory or a hang ends a child and is counted against its case. Of five model cases three change the decoded model
        (fields, tensors, shapes, types, operators, attributes, inputs, outputs, opsets; nesting, recursion, chains, doubling, external data), two the bytes of the file. Of four model cases
        one lays every tensor before a page that must not be touched. Half of the data and weight cases change what correct containers say (checksums are made anew; pickles are programs of random instructions), half the bytes.

        A finding is: a crash; more than 5 s of processor time or 60 s; an allocation that the 512 MiB of managed memory do not hold, or 1 GiB resident; an exception that is not the toolkit's own
        (InvalidDataException); a message of several lines, longer than 1500 characters, or without the file. Models run with `ExecutionLimits { MaxTensorBytes = 16 MiB, MaxWorkingBytes = 64 MiB,
        MaxIterations = 2000 }` and `OnnxLoadOptions { MaxNodes = 10000 }` (between guard pages 1 MiB, 4 MiB, 100); data sets with `MaxArrayBytes = 16 MiB`, `MaxPixels = 4 Mi`; weights with `MaxBytes = 16 MiB`.
        "Refused" means one clear error when the file was read, when its graph was prepared for execution, or when it was compiled and run; "limit" that the error names the option to raise.

        The numbers of cases depend on the seeds, and so on the engine's list of operators and on whether the models of `FEWBIT_DATA` are there. One case again, with its file kept:
        `dotnet run -c Release --project tests/Fewbit.Fuzzing -- --kind models --case N`.


        """;

    public static string Write(FuzzArguments given, IReadOnlyList<(string Kind, Tally Tally, double Seconds)> reports)
    {
        var text = new StringBuilder();
        string counts = string.Join(' ', given.Counts.Select(count => $"--{count.Kind} {count.Count}"));
        text.AppendLine(CultureInfo.InvariantCulture, $"Command: `dotnet run -c Release --project tests/Fewbit.Fuzzing -- {counts} --seed {given.Seed} --first {given.First} --processes {given.Processes}`, on {Processor()}.").AppendLine();
        foreach ((string kind, Tally tally, double seconds) in reports)
        {
            text.AppendLine(CultureInfo.InvariantCulture, $"## {tally.Cases} {KindOf(kind)}").AppendLine();
            text.AppendLine(CultureInfo.InvariantCulture, $"Seeds: {tally.Seeds}. {seconds:0} s on the wall ({tally.Cases / seconds:0} cases/s), {tally.CpuSeconds:0} s of processor time.");
            text.AppendLine(CultureInfo.InvariantCulture, $"Longest case {tally.LongestCaseSeconds:0.0} s on the wall, largest resident set {tally.MaxResidentBytes >> 20} MiB.").AppendLine();
            text.AppendLine("| outcome | cases | share |").AppendLine("|---|---:|---:|");
            foreach ((string outcome, long count) in tally.Counts) text.AppendLine(CultureInfo.InvariantCulture, $"| {outcome} | {count} | {100.0 * count / tally.Cases:0.00} % |");
            text.AppendLine().AppendLine(CultureInfo.InvariantCulture, $"Findings: {tally.Findings.Count}.").AppendLine();
            foreach (var group in tally.Findings.GroupBy(finding => $"{finding.Kind}: {finding.Detail.Split(':')[0]}").OrderByDescending(group => group.Count()).Take(60))
                text.AppendLine(CultureInfo.InvariantCulture, $"- {group.Count()} × {group.Key} (case {group.First().Number}: {group.First().Detail})");
        }
        return text.ToString();
    }

    private static string KindOf(string kind) => kind switch
    {
        "models" => "model files",
        "weights" => "files of weights, plans, recipes and texts",
        _ => "data files",
    };

    private static string Processor()
    {
        const string cpuInfo = "/proc/cpuinfo";
        string? name = File.Exists(cpuInfo) ? File.ReadLines(cpuInfo).FirstOrDefault(line => line.StartsWith("model name", StringComparison.Ordinal))?.Split(':')[1].Trim() : null;
        return $"{name ?? "an unnamed processor"}, {Environment.ProcessorCount} processors, {System.Runtime.InteropServices.RuntimeInformation.OSDescription}";
    }
}
