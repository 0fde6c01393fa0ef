using System.Diagnostics;
using System.Text;

namespace Fewbit.Cli.Tests;

/// <summary>Work that is killed at any moment, as by a power cut, goes on to the same bytes.</summary>
public sealed class KilledWorkTests(DemoFolder demo) : IClassFixture<DemoFolder>
{
    private const int Kills = 3, MostWritings = 5, MostMilliseconds = 60;

    [Fact]
    public void Quantize_KilledAndResumed_WritesTheSameBytes() => AssertSameBytes("quantize", seed: 1, ["--checkpoint-interval", "0.02s"],
        ["quantize", demo.Model, "-c", demo.Calibration, "-d", demo.Unseen, "--labels", demo.Classes, "-p", "tf", "--samples", "48", "--method", "qdrop", "-w", "uint3", "-a", "uint4", "--iterations", "40"]);

    [Fact]
    public void Train_KilledAndResumed_WritesTheSameBytes() => AssertSameBytes("train", seed: 2, ["--checkpoint-steps", "1"],
        ["train", "resnet-tiny", "--data", demo.Unseen, "--labels", demo.Classes, "--preprocess", "tf", "--epochs", "3", "--batch", "24", "--augment", "cifar", "--lr", "0.01"]);

    private void AssertSameBytes(string name, int seed, string[] checkpoints, string[] command)
    {
        string whole = demo[$"{name}-whole.onnx"], target = demo[$"{name}-parts.onnx"], checkpoint = demo[$"{name}.checkpoint.json"];
        Assert.Equal(0, RunResult.Of([.. command, "-o", whole]).Code);
        string[] parts = [.. command, .. checkpoints, "-o", target, "--checkpoint", checkpoint];
        var random = new Random(seed);
        int killed = 0, resumed = 0;
        for (int i = 0; i < Kills && !File.Exists(target); i++)
        {
            bool goesOn = File.Exists(checkpoint);
            if (KilledBehind(random.Next(MostWritings), random.Next(MostMilliseconds), checkpoint, goesOn ? [.. parts, "--resume"] : parts)) killed++;
            if (goesOn) resumed++;
        }
        if (!File.Exists(target))
        {
            RunResult last = RunResult.Of(File.Exists(checkpoint) ? [.. parts, "--resume"] : parts);
            Assert.True(last.Code == 0, last.Messages);
            resumed++;
        }
        Assert.InRange(killed, 1, Kills);
        Assert.InRange(resumed, 1, Kills + 1);
        Assert.Equal(File.ReadAllBytes(whole), File.ReadAllBytes(target));
    }

    /// <summary>Starts the command as a process of its own and kills it a moment after so many writings of the checkpoint; false where it ended before.</summary>
    private static bool KilledBehind(int writings, int milliseconds, string checkpoint, string[] arguments)
    {
        string host = Environment.ProcessPath is { } path && Path.GetFileNameWithoutExtension(path) == "dotnet" ? path : "dotnet";
        var start = new ProcessStartInfo(host, [Path.Combine(AppContext.BaseDirectory, "Fewbit.Cli.dll"), .. arguments]) { RedirectStandardOutput = true, RedirectStandardError = true };
        using Process process = Process.Start(start)!;
        var messages = new StringBuilder();
        process.ErrorDataReceived += (_, line) => messages.AppendLine(line.Data);
        process.BeginErrorReadLine();
        process.BeginOutputReadLine();
        for (DateTime seen = File.GetLastWriteTimeUtc(checkpoint); writings > 0 && !process.HasExited; Thread.Sleep(1))
        {
            DateTime now = File.GetLastWriteTimeUtc(checkpoint);
            if (now == seen) continue;
            (seen, writings) = (now, writings - 1);
        }
        Thread.Sleep(milliseconds);
        process.Kill();
        process.WaitForExit();
        // 137: killed by signal 9.
        Assert.True(process.ExitCode is 0 or 137, messages.ToString());
        return process.ExitCode == 137;
    }
}
