using Fewbit.Testing;

namespace Fewbit.Browser.Tests;

/// <summary>A test in a real Chromium; skipped, with the reason, where there is none.</summary>
public sealed class BrowserFactAttribute : FactAttribute
{
    public BrowserFactAttribute() => Skip = Chromium.WhyNot;
}

/// <summary>A parameterized test in a real Chromium.</summary>
public sealed class BrowserTheoryAttribute : TheoryAttribute
{
    public BrowserTheoryAttribute() => Skip = Chromium.WhyNot;
}

/// <summary>Finds the browser: FEWBIT_CHROMIUM, or a Chromium or Chrome on the PATH.</summary>
internal static class Chromium
{
    private static readonly string[] s_names = ["chromium", "chromium-browser", "google-chrome", "chrome.exe", "msedge.exe"];

    /// <summary>Its program; null where there is none.</summary>
    public static string? Program { get; } = Environment.GetEnvironmentVariable("FEWBIT_CHROMIUM") is { Length: > 0 } named ? named : OnPath();

    /// <summary>Why tests skip; null where they run.</summary>
    public static string? WhyNot => Oracles.Required || Program is not null ? null : "needs a Chromium on the PATH or in FEWBIT_CHROMIUM: apt-get install chromium";

    private static string? OnPath() => (Environment.GetEnvironmentVariable("PATH") ?? "").Split(Path.PathSeparator)
        .SelectMany(folder => s_names.Select(name => Path.Combine(folder, name))).FirstOrDefault(File.Exists);
}
