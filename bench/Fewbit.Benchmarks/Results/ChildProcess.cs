using System.Diagnostics;

namespace Fewbit.Benchmarks.Results;

/// <summary>Runs this program again.</summary>
internal static class ChildProcess
{
    /// <returns>What it wrote to standard output.</returns>
    /// <exception cref="InvalidOperationException">It failed; the message holds what it wrote to standard error.</exception>
    public static string Run(params IEnumerable<string> arguments) => RunWith(new Dictionary<string, string>(), arguments);

    /// <summary>The same with further environment variables.</summary>
    public static string RunWith(IReadOnlyDictionary<string, string> environment, params IEnumerable<string> arguments)
    {
        var start = new ProcessStartInfo(Environment.ProcessPath!, [.. Prefix(), .. arguments]) { RedirectStandardOutput = true, RedirectStandardError = true };
        foreach ((string name, string value) in environment) start.Environment[name] = value;
        using Process process = Process.Start(start)!;
        Task<string> errors = process.StandardError.ReadToEndAsync();
        string output = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        return process.ExitCode == 0 ? output : throw new InvalidOperationException($"{string.Join(' ', arguments)}: exit code {process.ExitCode}: {errors.Result}");
    }

    /// <summary>The program's own file where the process is the dotnet host.</summary>
    private static IEnumerable<string> Prefix() =>
        Path.GetFileNameWithoutExtension(Environment.ProcessPath!) == "dotnet" ? [typeof(ChildProcess).Assembly.Location] : [];
}
