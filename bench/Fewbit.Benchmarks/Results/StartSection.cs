using System.Diagnostics;
using System.Globalization;
using System.Reflection;
using System.Runtime;
using System.Text;

namespace Fewbit.Benchmarks.Results;

/// <summary>From the start of the command to its result, and what of it the just-in-time compiler takes.</summary>
internal static class StartSection
{
    private const int TurnsEach = 10, Pictures = 16, RecordBytes = 3073;

    public static string Measure()
    {
        string model = Machine.Data("cifar10/models/resnet20.onnx"), all = Machine.Data("cifar10/test_lossless_846.bin"), few = Path.Combine(Path.GetTempPath(), $"fewbit-start-{Environment.ProcessId}_data.bin");
        try
        {
            File.WriteAllBytes(few, File.ReadAllBytes(all)[..(Pictures * RecordBytes)]);
            return Describe(model, few, all);
        }
        finally
        {
            File.Delete(few);
        }
    }

    /// <summary>What a child process does: runs the command, then prints what the compiler did.</summary>
    public static void RunChild(string[] arguments)
    {
        Command.EntryPoint!.Invoke(null, [arguments]);
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{JitInfo.GetCompilationTime().TotalMilliseconds} {JitInfo.GetCompiledMethodCount()}"));
    }

    private static Assembly Command => Assembly.Load("Fewbit.Cli");

    private static string Describe(string model, string few, string all)
    {
        string[] Evaluate(string data) => ["evaluate", model, "--data", data, "--preprocess", "cifar10"];
        var text = new StringBuilder();
        text.AppendLine(CultureInfo.InvariantCulture, $"`fewbit evaluate resnet20.onnx --data DATA --preprocess cifar10` as a process, from its start to its end, the median of {TurnsEach} (shortest in brackets).").AppendLine();
        text.AppendLine("| command | ms |");
        text.AppendLine("|---|---|");
        foreach ((string name, string[] arguments, (string, string)[] environment) in ((string, string[], (string, string)[])[])[
            ("`fewbit --version`", ["--version"], []),
            ($"evaluate {Pictures} pictures", Evaluate(few), []),
            ($"the same, framework compiled anew too (`DOTNET_ReadyToRun=0`)", Evaluate(few), [("DOTNET_ReadyToRun", "0")]),
            ($"the same, everything optimized at once (`DOTNET_TieredCompilation=0`)", Evaluate(few), [("DOTNET_TieredCompilation", "0")]),
            ("evaluate 846 pictures", Evaluate(all), [])])
        {
            double[] times = [.. Enumerable.Range(0, TurnsEach).Select(_ => Milliseconds(arguments, environment))];
            string row = string.Create(CultureInfo.InvariantCulture, $"| {name} | {Rounds.Median(times):F0} ({times.Min():F0}) |");
            Console.WriteLine(row);
            text.AppendLine(row);
        }
        string[] compiled = ChildProcess.Run(["start-child", .. Evaluate(few)]).Trim().Split('\n')[^1].Split(' ');
        return text.AppendLine().AppendLine(CultureInfo.InvariantCulture,
            $"Of the run on {Pictures} pictures the just-in-time compiler took {double.Parse(compiled[0], CultureInfo.InvariantCulture):F0} ms of all threads together for {compiled[1]} methods (`JitInfo`, in a process of its own).").ToString();
    }

    private static double Milliseconds(string[] arguments, (string, string)[] environment)
    {
        var start = new ProcessStartInfo("dotnet", [Command.Location, .. arguments]) { RedirectStandardOutput = true, RedirectStandardError = true };
        foreach ((string name, string value) in environment) start.Environment[name] = value;
        long begin = Stopwatch.GetTimestamp();
        using Process process = Process.Start(start)!;
        string output = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        double milliseconds = Stopwatch.GetElapsedTime(begin).TotalMilliseconds;
        return process.ExitCode == 0 && output.Length > 0 ? milliseconds : throw new InvalidOperationException($"{string.Join(' ', arguments)}: exit code {process.ExitCode}: {process.StandardError.ReadToEnd()}");
    }
}
