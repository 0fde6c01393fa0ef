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
    public static T WithProgress<T>(this CommandOutput output, string title, long total, string unit, Func<ILiveProgress, T> job)
    {
        if (!output.IsMessageTerminal) return job(new PlainProgress(output.Messages, title, total, unit, TimeProvider.System));
        IAnsiConsole console = output.MessageConsole();
        return console.Progress().AutoClear(true).HideCompleted(true)
            .Columns(new TaskDescriptionColumn(), new ProgressBarColumn(), new PercentageColumn(), new RateColumn(unit), new RemainingTimeColumn())
            .Start(context => job(new BarProgress(context.AddTask(Markup.Escape(title), maxValue: Math.Max(1, total)), console)));
    }

    private sealed class BarProgress(ProgressTask task, IAnsiConsole console) : ILiveProgress
    {
        public string Title { set => task.Description = Markup.Escape(value); }

        public void Report(long value) => task.Value = value;

        // Written through the console that draws the bar, the line appears above it.
        public void Line(string text) => console.WriteLine(text);
    }

    private sealed class RateColumn(string unit) : ProgressColumn
    {
        public override IRenderable Render(RenderOptions options, ProgressTask task, TimeSpan deltaTime) =>
            new Text(task.Speed is { } speed ? $"{Words.Digits(speed)} {unit}/s" : "");
    }
}

/// <summary>A job's progress that can say more than a number.</summary>
internal interface ILiveProgress : IProgress<long>
{
    /// <summary>What the job does now.</summary>
    string Title { set; }

    /// <summary>Writes a line that stays.</summary>
    void Line(string text);
}

/// <summary>A line after two seconds, then one each ten.</summary>
internal sealed class PlainProgress(TextWriter messages, string title, long total, string unit, TimeProvider time) : ILiveProgress
{
    private static readonly TimeSpan s_first = TimeSpan.FromSeconds(2), s_every = TimeSpan.FromSeconds(10);
    private readonly long _start = time.GetTimestamp();
    private TimeSpan _next = s_first;
    private string _title = title;

    public string Title { set => _title = value; }

    public void Line(string text) => messages.WriteLine(text);

    public void Report(long value)
    {
        TimeSpan elapsed = time.GetElapsedTime(_start);
        if (elapsed < _next || value <= 0) return;
        _next = elapsed + s_every;
        double rate = value / elapsed.TotalSeconds;
        string left = total > value ? $", {Words.Time(TimeSpan.FromSeconds(Math.Ceiling((total - value) / rate)))} left" : "";
        messages.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{_title}: {value} of {total} {unit}, {Words.Digits(rate)} {unit}/s{left}"));
    }
}
