using System.Diagnostics;
using System.Globalization;

namespace Fewbit.Fuzzing.Campaign;

/// <summary>Shares cases among child processes, notices how they die, and goes on behind the case that killed them.</summary>
internal sealed class Parent(string kind, int seed, string folder)
{
    /// <summary>A child is replaced after so many cases: what it keeps (loaded code, derived weights) is not a case's.</summary>
    private const long CasesOfAChild = 10_000;
    private static readonly TimeSpan WatchInterval = TimeSpan.FromSeconds(0.5);

    public Tally Run(long first, long count, int processes, Action<Finding>? onFinding = null, CancellationToken cancellation = default)
    {
        var tally = new Tally();
        Thread[] watchers = [.. Enumerable.Range(0, processes).Select(index => new Thread(() => RunShare(first + index, first + count, processes, tally, Path.Combine(folder, $"{kind}{index}"), onFinding, cancellation)))];
        foreach (Thread watcher in watchers) watcher.Start();
        foreach (Thread watcher in watchers) watcher.Join();
        return tally;
    }

    private void RunShare(long next, long end, int step, Tally tally, string workFolder, Action<Finding>? onFinding, CancellationToken cancellation)
    {
        Directory.CreateDirectory(workFolder);
        while (next < end && !cancellation.IsCancellationRequested)
        {
            long until = Math.Min(end, next + CasesOfAChild * step);
            (long done, string? death) = RunChild(next, until, step, tally, workFolder, onFinding);
            next = done;
            if (death is null) continue;
            var outcome = new Outcome($"finding: {death.Split(':')[0]}", true, death);
            tally.Add(next, outcome, 0);
            onFinding?.Invoke(tally.Findings[^1]);
            next += step;
        }
    }

    /// <returns>The case behind the last that ended, and how the child died on that one; null where it did not.</returns>
    private (long Next, string? Death) RunChild(long first, long end, int step, Tally tally, string workFolder, Action<Finding>? onFinding)
    {
        using Process child = Start(first, end, step, workFolder);
        var watch = new CaseWatch(child);
        using var timer = new Timer(_ => watch.Check(), null, WatchInterval, WatchInterval);
        Task<string> errors = child.StandardError.ReadToEndAsync();
        long next = first;
        while (child.StandardOutput.ReadLine() is { } line)
        {
            string[] fields = line.Split('\t');
            if (fields[0] == "ready") tally.Seeds = fields[1];
            else if (fields.Length == 4)
            {
                long number = long.Parse(fields[0], CultureInfo.InvariantCulture);
                var outcome = new Outcome(fields[1], fields[2] == "1", fields[3]);
                tally.Add(number, outcome, watch.SecondsOfCase);
                if (outcome.IsFinding) onFinding?.Invoke(new(number, outcome.Kind, outcome.Detail));
                next = number + step;
            }
            watch.NextCase();
        }
        child.WaitForExit();
        watch.Stop();
        tally.AddProcess(watch.CpuSeconds, watch.PeakResident);
        if (!watch.IsReady) throw new InvalidOperationException($"a child died before its first case: {errors.Result}");
        if (next >= end || (child.ExitCode == 0 && next > first)) return (next, null);
        string last = errors.Result.Split('\n').FirstOrDefault(text => text.Trim().Length > 0) ?? "";
        return (next, watch.Reason ?? $"process died with exit code {child.ExitCode}: {Outcome.OneLine(last)}{Outcome.OneLine(Frames(errors.Result))}");
    }

    private static string Frames(string errors) => string.Concat(errors.Split('\n').Where(line => line.Contains("at Fewbit.", StringComparison.Ordinal)).Take(3).Select(line => " " + line.Trim()));

    private Process Start(long first, long end, int step, string workFolder)
    {
        string host = Path.GetFileNameWithoutExtension(Environment.ProcessPath) == "dotnet" ? Environment.ProcessPath! : "dotnet";
        string[] arguments = ["exec", typeof(Parent).Assembly.Location, "child", kind, $"{seed}", $"{first}", $"{end}", $"{step}", workFolder];
        var info = new ProcessStartInfo(host, arguments) { RedirectStandardOutput = true, RedirectStandardError = true };
        info.Environment["DOTNET_GCHeapHardLimit"] = FuzzLimits.HeapBytes.ToString("X", CultureInfo.InvariantCulture);
        info.Environment["DOTNET_TieredCompilation"] = "1";
        info.Environment["DOTNET_DbgEnableMiniDump"] = "0";
        return Process.Start(info) ?? throw new InvalidOperationException($"cannot start {host}");
    }
}

/// <summary>Watches the time and memory of the case that a child is at.</summary>
internal sealed class CaseWatch(Process child)
{
    private readonly Lock _lock = new();
    private double _cpuBefore;
    private bool _isStopped;
    private long _wallBefore = Stopwatch.GetTimestamp();

    /// <summary>Why the child was killed; null where it was not.</summary>
    public string? Reason { get; private set; }

    /// <summary>True once the child has begun its first case.</summary>
    public bool IsReady { get; private set; }

    public double CpuSeconds { get; private set; }

    public long PeakResident { get; private set; }

    public double SecondsOfCase => IsReady ? Stopwatch.GetElapsedTime(_wallBefore).TotalSeconds : 0;

    public void NextCase()
    {
        lock (_lock) (_cpuBefore, _wallBefore, IsReady) = (-1, Stopwatch.GetTimestamp(), true);
    }

    /// <summary>Asks no more: the process object may go.</summary>
    public void Stop()
    {
        lock (_lock) _isStopped = true;
    }

    public void Check()
    {
        lock (_lock)
        {
            if (_isStopped) return;
            try
            {
                child.Refresh();
                if (child.HasExited) return;
                CpuSeconds = child.TotalProcessorTime.TotalSeconds;
                PeakResident = Math.Max(PeakResident, child.PeakWorkingSet64);
                if (_cpuBefore < 0) _cpuBefore = CpuSeconds;
                // Starting up, with all seeds read and no code compiled, is not a case.
                double cpuAllowed = IsReady ? FuzzLimits.CpuSeconds : 60, wallAllowed = IsReady ? FuzzLimits.WallSeconds : 300;
                double cpu = CpuSeconds - _cpuBefore, wall = Stopwatch.GetElapsedTime(_wallBefore).TotalSeconds;
                if (cpu > cpuAllowed) Reason = $"hang: more than {cpuAllowed} s of processor time";
                else if (wall > wallAllowed) Reason = $"hang: more than {wallAllowed} s";
                else if (PeakResident > FuzzLimits.ResidentBytes) Reason = $"memory beyond the limit: {PeakResident >> 20} MiB resident";
                if (Reason is not null) child.Kill(entireProcessTree: true);
            }
            catch (InvalidOperationException) when (child.HasExited)
            {
                // It ended between two questions.
            }
        }
    }
}
