using System.Diagnostics;
using System.Runtime.CompilerServices;

namespace Fewbit.Cli.Tests;

/// <summary>The commands of docs/guide.md, in one folder, from top to bottom.</summary>
public sealed class GuideTests
{
    [Fact]
    public void Commands_FromTopToBottom_AllSucceed()
    {
        string[] commands = [.. Commands(Path.Combine(Repository(), "docs/guide.md"))];
        Assert.InRange(commands.Length, 10, 40);
        using var work = new Workspace();
        foreach (string command in commands)
        {
            (int code, string messages) = Run(work.Folder, command);
            Assert.True(code == 0, $"{command}: {messages}");
        }
        Assert.True(File.Exists(work["report.html"]));
    }

    /// <summary>The lines of blocks that are marked sh.</summary>
    private static IEnumerable<string> Commands(string path)
    {
        bool isInside = false;
        foreach (string line in File.ReadLines(path))
        {
            if (line.StartsWith("```", StringComparison.Ordinal)) isInside = line == "```sh";
            else if (isInside) yield return line;
        }
    }

    /// <summary>Runs one command as a process of its own, since its paths are relative.</summary>
    private static (int Code, string Messages) Run(string folder, string command)
    {
        string[] words = command.Split(' ');
        Assert.Equal("fewbit", words[0]);
        string tool = typeof(CommandLine).Assembly.Location;
        using Process process = Process.Start(new ProcessStartInfo("dotnet", [tool, .. words[1..]]) { WorkingDirectory = folder, RedirectStandardError = true, RedirectStandardOutput = true })!;
        Task<string> output = process.StandardOutput.ReadToEndAsync();
        string messages = process.StandardError.ReadToEnd();
        process.WaitForExit();
        return (process.ExitCode, messages + output.Result);
    }

    private static string Repository([CallerFilePath] string here = "") => Path.GetFullPath(Path.Combine(here, "../../.."));
}
