using System.Diagnostics;

namespace Fewbit.Benchmarks.Results;

/// <summary>Runs this program again.</summary>
internal static class ChildProcess
{
    /// <returns>What it wrote to standard output.</returns>
    /// <exception cref="InvalidOperationException">It failed; the message holds what it wrote to standard error.</exception>
    public static string Run(params IEnumerable<string> arguments)
    {
        using Process process = Process.Start(new ProcessStartInfo(Environment.ProcessPath!, [.. Prefix(), .. arguments]) { RedirectStandardOutput = true, RedirectStandardError = true })!;
        Task<string> errors = process.StandardError.ReadToEndAsync();
        string output = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        return process.ExitCode == 0 ? output : throw new InvalidOperationException($"{string.Join(' ', arguments)}: exit code {process.ExitCode}: {errors.Result}");
    }

    /// <summary>The program's own file where the process is the dotnet host.</summary>
    private static IEnumerable<string> Prefix() =>
        Path.GetFileNameWithoutExtension(Environment.ProcessPath!) == "dotnet" ? [typeof(ChildProcess).Assembly.Location] : [];
}
