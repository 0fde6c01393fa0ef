using System.Diagnostics;
using System.Globalization;
using System.Runtime.CompilerServices;
using Fewbit.OnnxRuntime;
using Fewbit.Tensors.Kernels;

namespace Fewbit.Benchmarks.Results;

/// <summary>What a result page must say of the machine, and where its data and oracle are.</summary>
internal static class Machine
{
    /// <summary>The folder of real data: FEWBIT_DATA, else shared/data beside the repository.</summary>
    public static string DataRoot { get; } = Environment.GetEnvironmentVariable("FEWBIT_DATA") is { Length: > 0 } named
        ? named : Path.GetFullPath(Path.Combine(Repository, "../shared/data"));

    public static string Data(string relativePath) => Path.Combine(DataRoot, relativePath);

    public static OnnxRuntimeLibrary Runtime { get; } = OnnxRuntimeLibrary.Open();

    /// <summary>Writes a page under docs/results.</summary>
    public static void WritePage(string name, string text)
    {
        string path = PagePath(name);
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        File.WriteAllText(path, text);
        Console.WriteLine($"wrote {path}");
    }

    public static string PagePath(string name) => Path.Combine(Repository, "docs", "results", name);

    /// <summary>Runs until the just-in-time compiler has settled: at least 40 times and a second and a half.</summary>
    public static void WarmUp(Action run)
    {
        long start = Stopwatch.GetTimestamp();
        for (int i = 0; i < 40 || Stopwatch.GetElapsedTime(start).TotalSeconds < 1.5; i++) run();
    }

    /// <summary>The processor, without what changes from run to run.</summary>
    public static string Processor
    {
        get
        {
            string[] facts = OperatingSystem.IsLinux() ? File.ReadAllLines("/proc/cpuinfo") : [];
            string Fact(string name) => facts.FirstOrDefault(line => line.StartsWith(name, StringComparison.Ordinal))?.Split(':')[1].Trim() ?? "?";
            string zen = Fact("cpu family") switch
            {
                "25" => " (Zen 4)",
                "26" => " (Zen 5)",
                _ => "",
            };
            return $"{Fact("model name")}, family {Fact("cpu family")}, model {Fact("model\t")}{zen}, {Environment.ProcessorCount} cores";
        }
    }

    /// <summary>What a figure depends on beside the processor.</summary>
    public static string Versions => $"kernels: {KernelPaths.Active}; ONNX Runtime {Runtime.Version}; .NET {Environment.Version}";

    public static string Description => $"{Processor}; {Versions}";

    /// <summary>Peak resident set since <see cref="ResetPeak"/>, in MB; NaN where the system does not tell.</summary>
    public static double PeakMegabytes => OperatingSystem.IsLinux()
        ? double.Parse(File.ReadLines("/proc/self/status").First(line => line.StartsWith("VmHWM", StringComparison.Ordinal)).Split(' ', StringSplitOptions.RemoveEmptyEntries)[^2], CultureInfo.InvariantCulture) / 1024
        : double.NaN;

    public static void ResetPeak()
    {
        GC.Collect(2, GCCollectionMode.Aggressive, blocking: true, compacting: true);
        if (OperatingSystem.IsLinux()) File.WriteAllText("/proc/self/clear_refs", "5");
    }

    private static string Repository => Path.GetFullPath(Path.Combine(Path.GetDirectoryName(ThisFile())!, "../../.."));

    private static string ThisFile([CallerFilePath] string path = "") => path;
}
