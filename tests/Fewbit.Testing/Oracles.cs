using Xunit;

namespace Fewbit.Testing;

/// <summary>Finds what some tests measure against: the real data sets and ONNX Runtime.</summary>
public static class Oracles
{
    /// <summary>The folder of real data: FEWBIT_DATA, or shared/data beside the repository; null where neither exists.</summary>
    public static string? DataRoot { get; } = FindData();

    /// <summary>The ONNX Runtime library: FEWBIT_ORT, or node_modules above the test; null where there is none.</summary>
    public static string? OnnxRuntimeLibrary { get; } = FindOnnxRuntime();

    /// <summary>The library of the oldest ONNX Runtime that models are written for, 1.17: FEWBIT_ORT_OLD; null where it is not set.</summary>
    public static string? OlderOnnxRuntimeLibrary { get; } = Environment.GetEnvironmentVariable("FEWBIT_ORT_OLD") is { Length: > 0 } path ? path : null;

    /// <summary>True where a missing oracle must fail the test instead of skipping it (FEWBIT_REQUIRE_ORACLES=1).</summary>
    public static bool Required => Environment.GetEnvironmentVariable("FEWBIT_REQUIRE_ORACLES") == "1";

    /// <summary>The path of a file or folder under the data root.</summary>
    public static string Data(string relativePath) =>
        Path.Combine(DataRoot ?? throw new InvalidOperationException("no data root: set FEWBIT_DATA"), relativePath);

    internal static string? WhyNotData(string[] paths)
    {
        if (Required) return null;
        if (DataRoot is null) return "needs real data: set FEWBIT_DATA to its folder";
        string? missing = paths.FirstOrDefault(path => !Path.Exists(Path.Combine(DataRoot, path)));
        return missing is null ? null : $"needs {missing} under {DataRoot}";
    }

    internal static string? WhyNotOnnxRuntime() =>
        Required || OnnxRuntimeLibrary is not null ? null : "needs ONNX Runtime: set FEWBIT_ORT to its library, or npm install onnxruntime-node";

    internal static string? WhyNotBothRuntimes() =>
        Required || OlderOnnxRuntimeLibrary is not null ? WhyNotOnnxRuntime() : "needs ONNX Runtime 1.17 too: set FEWBIT_ORT_OLD to its library, from npm install onnxruntime-node@1.17.3";

    private static string? FindData()
    {
        string? named = Environment.GetEnvironmentVariable("FEWBIT_DATA");
        return string.IsNullOrEmpty(named) ? FindAbove("../shared/data", Directory.Exists) : named;
    }

    private static string? FindOnnxRuntime()
    {
        string? named = Environment.GetEnvironmentVariable("FEWBIT_ORT");
        return string.IsNullOrEmpty(named)
            ? FindAbove("node_modules/onnxruntime-node/bin/napi-v6/linux/x64/libonnxruntime.so.1", File.Exists)
            : named;
    }

    private static string? FindAbove(string relativePath, Func<string, bool> exists)
    {
        for (DirectoryInfo? folder = new(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
        {
            string path = Path.GetFullPath(Path.Combine(folder.FullName, relativePath));
            if (exists(path)) return path;
        }
        return null;
    }
}

/// <summary>A test that needs files of the real data; skipped, with the reason, where they are not there.</summary>
public sealed class DataFactAttribute : FactAttribute
{
    /// <param name="paths">Files or folders under the data root.</param>
    public DataFactAttribute(params string[] paths) => Skip = Oracles.WhyNotData(paths);
}

/// <summary>A parameterized test that needs files of the real data.</summary>
public sealed class DataTheoryAttribute : TheoryAttribute
{
    /// <param name="paths">Files or folders under the data root.</param>
    public DataTheoryAttribute(params string[] paths) => Skip = Oracles.WhyNotData(paths);
}

/// <summary>A test that needs ONNX Runtime, and files of the real data if it names any.</summary>
public sealed class RuntimeFactAttribute : FactAttribute
{
    /// <param name="paths">Files or folders under the data root; none if the test needs ONNX Runtime alone.</param>
    public RuntimeFactAttribute(params string[] paths) =>
        Skip = Oracles.WhyNotOnnxRuntime() ?? (paths.Length == 0 ? null : Oracles.WhyNotData(paths));
}

/// <summary>A parameterized test that needs ONNX Runtime, and files of the real data if it names any.</summary>
public sealed class RuntimeTheoryAttribute : TheoryAttribute
{
    /// <param name="paths">Files or folders under the data root; none if the test needs ONNX Runtime alone.</param>
    public RuntimeTheoryAttribute(params string[] paths) =>
        Skip = Oracles.WhyNotOnnxRuntime() ?? (paths.Length == 0 ? null : Oracles.WhyNotData(paths));
}

/// <summary>A parameterized test that needs the newest and the oldest ONNX Runtime that models are written for, and files of the real data if it names any.</summary>
public sealed class BothRuntimesTheoryAttribute : TheoryAttribute
{
    /// <param name="paths">Files or folders under the data root; none if the test needs the runtimes alone.</param>
    public BothRuntimesTheoryAttribute(params string[] paths) =>
        Skip = Oracles.WhyNotBothRuntimes() ?? (paths.Length == 0 ? null : Oracles.WhyNotData(paths));
}
