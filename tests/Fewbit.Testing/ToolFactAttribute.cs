using Xunit;

namespace Fewbit.Testing;

/// <summary>A test against a command-line tool; skipped, with the reason, where the tool or the data are missing.</summary>
public sealed class ToolFactAttribute : FactAttribute
{
    /// <param name="tools">Programs to be found on the PATH, separated by spaces.</param>
    /// <param name="paths">Files or folders under the data root; none if the tools suffice.</param>
    public ToolFactAttribute(string tools, params string[] paths) => Skip = WhyNot(tools) ?? (paths.Length == 0 ? null : Oracles.WhyNotData(paths));

    private static string? WhyNot(string tools)
    {
        if (Oracles.Required) return null;
        string? missing = tools.Split(' ').FirstOrDefault(tool => !IsOnPath(tool));
        return missing is null ? null : $"needs the program {missing} on the PATH";
    }

    private static bool IsOnPath(string tool) => (Environment.GetEnvironmentVariable("PATH") ?? "").Split(Path.PathSeparator)
        .Any(folder => File.Exists(Path.Combine(folder, tool)) || File.Exists(Path.Combine(folder, tool + ".exe")));
}
