using System.Globalization;
using Spectre.Console;
using Spectre.Console.Rendering;

namespace Fewbit.Cli.Console;

/// <summary>Shows how far a long job is: a bar with rate and time left on a terminal, now and then a plain line elsewhere.</summary>
internal static class ProgressDisplay
{
    /// <summary>Runs a job that reports the units it has done.</summary>
    /// <param name="output">Where to show it.</param>
    /// <param name="title">What the job does: "calibrating".</param>
    /// <param name="total">Units in all.</param>
    /// <param name="unit">What is counted: "samples".</param>
    /// <param name="job">Reports the units done so far.</param>
    public static T WithProgress<T>(this CommandOutput output, string title, long total, string unit, Func<IProgress<long>, T> job)
    {
        if (!output.IsMessageTerminal) return job(new PlainProgress(output.Messages, title, total, unit, TimeProvider.System));
        return output.MessageConsole().Progress().AutoClear(true).HideCompleted(true)
            .Columns(new TaskDescriptionColumn(), new ProgressBarColumn(), new PercentageColumn(), new RateColumn(unit), new RemainingTimeColumn())
            .Start(context => job(new BarProgress(context.AddTask(Markup.Escape(title), maxValue: Math.Max(1, total)))));
    }

    private sealed class BarProgress(ProgressTask task) : IProgress<long>
    {
        public void Report(long value) => task.Value = value;
    }

    private sealed class RateColumn(string unit) : ProgressColumn
    {
        public override IRenderable Render(RenderOptions options, ProgressTask task, TimeSpan deltaTime) =>
            new Text(task.Speed is { } speed ? $"{Words.Digits(speed)} {unit}/s" : "");
    }
}

/// <summary>A line after two seconds, then one each ten.</summary>
internal sealed class PlainProgress(TextWriter messages, string title, long total, string unit, TimeProvider time) : IProgress<long>
{
    private static readonly TimeSpan s_first = TimeSpan.FromSeconds(2), s_every = TimeSpan.FromSeconds(10);
    private readonly long _start = time.GetTimestamp();
    private TimeSpan _next = s_first;

    public void Report(long value)
    {
        TimeSpan elapsed = time.GetElapsedTime(_start);
        if (elapsed < _next || value <= 0) return;
        _next = elapsed + s_every;
        double rate = value / elapsed.TotalSeconds;
        string left = total > value ? $", {Words.Time(TimeSpan.FromSeconds(Math.Ceiling((total - value) / rate)))} left" : "";
        messages.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{title}: {value} of {total} {unit}, {Words.Digits(rate)} {unit}/s{left}"));
    }
}
