using System.Collections.Concurrent;
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
        var rates = new RateColumn();
        return console.Progress().AutoClear(true).HideCompleted(true)
            .Columns(new TaskDescriptionColumn(), new ProgressBarColumn(), new PercentageColumn(), rates, new RemainingTimeColumn())
            .Start(context => job(new BarProgress(context, console, rates, title, total, unit)));
    }

    private sealed class BarProgress : ILiveProgress
    {
        private readonly ProgressContext _context;
        private readonly IAnsiConsole _console;
        private readonly RateColumn _rates;
        private ProgressTask? _task;

        public BarProgress(ProgressContext context, IAnsiConsole console, RateColumn rates, string title, long total, string unit)
        {
            (_context, _console, _rates) = (context, console, rates);
            Begin(title, 0, total, unit);
        }

        public string Title { set => _task!.Description = Markup.Escape(value); }

        public void Begin(string title, long done, long total, string unit)
        {
            _task?.StopTask();
            _task = _context.AddTask(Markup.Escape(title), maxValue: Math.Max(1, total));
            _task.Value = done;
            _rates.Units[_task.Id] = unit;
        }

        public void Report(long value) => _task!.Value = value;

        // Written through the console that draws the bar, the line appears above it.
        public void Line(string text) => _console.WriteLine(text);
    }

    private sealed class RateColumn : ProgressColumn
    {
        public ConcurrentDictionary<int, string> Units { get; } = [];

        public override IRenderable Render(RenderOptions options, ProgressTask task, TimeSpan deltaTime) =>
            new Text(task.Speed is { } speed ? $"{Words.Digits(speed)} {Units.GetValueOrDefault(task.Id)}/s" : "");
    }
}

/// <summary>A job's progress that can say more than a number.</summary>
internal interface ILiveProgress : IProgress<long>
{
    /// <summary>What the job does now.</summary>
    string Title { set; }

    /// <summary>Goes over to another stage, which counts something else.</summary>
    void Begin(string title, long done, long total, string unit);

    /// <summary>Writes a line that stays.</summary>
    void Line(string text);
}

/// <summary>A line after two seconds, then one each ten.</summary>
internal sealed class PlainProgress(TextWriter messages, string title, long total, string unit, TimeProvider time) : ILiveProgress
{
    private static readonly TimeSpan s_first = TimeSpan.FromSeconds(2), s_every = TimeSpan.FromSeconds(10);
    private long _start = time.GetTimestamp();
    private TimeSpan _next = s_first;
    private (string Title, long Done, long Total, string Unit) _stage = (title, 0, total, unit);

    public string Title { set => _stage.Title = value; }

    public void Begin(string title, long done, long total, string unit) => (_stage, _start, _next) = ((title, done, total, unit), time.GetTimestamp(), s_first);

    public void Line(string text) => messages.WriteLine(text);

    public void Report(long value)
    {
        TimeSpan elapsed = time.GetElapsedTime(_start);
        if (elapsed < _next || value <= 0) return;
        _next = elapsed + s_every;
        (string title, long done, long total, string unit) = _stage;
        double rate = (value - done) / elapsed.TotalSeconds;
        string left = total > value && rate > 0 ? $", {Words.Time(TimeSpan.FromSeconds(Math.Ceiling((total - value) / rate)))} left" : "";
        messages.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{title}: {value} of {total} {unit}, {Words.Digits(rate)} {unit}/s{left}"));
    }
}
