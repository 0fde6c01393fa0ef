using System.Diagnostics;
using Fewbit.Graphs;
using Fewbit.OnnxRuntime;
using Fewbit.Tensors;

namespace Fewbit.Cli.Timing;

/// <summary>Something that is timed: one model in one engine.</summary>
/// <param name="Name">For the table.</param>
/// <param name="Time">Runs the model so many times and returns the median time of a run.</param>
internal sealed record Contender(string Name, Func<int, TimeSpan> Time)
{
    public static Contender Of(string name, IModelRunner model, IReadOnlyDictionary<string, Tensor> inputs) =>
        new(name, runs => model is OnnxRuntimeSession session ? session.Time(inputs, warmup: 1, runs).Median : Median(model, inputs, runs));

    private static TimeSpan Median(IModelRunner model, IReadOnlyDictionary<string, Tensor> inputs, int runs)
    {
        var times = new TimeSpan[runs];
        for (int i = 0; i < runs; i++)
        {
            long start = Stopwatch.GetTimestamp();
            model.Run(inputs);
            times[i] = Stopwatch.GetElapsedTime(start);
        }
        Array.Sort(times);
        return (times[(runs - 1) / 2] + times[runs / 2]) / 2;
    }
}

/// <summary>Times contenders turn by turn, so that a busy machine disturbs all alike.</summary>
internal static class SpeedTest
{
    /// <summary>Turns of each contender; what <see cref="Measure"/> reports in all.</summary>
    public const int Rounds = 9;

    private const int WarmUpRounds = 4;

    private static readonly TimeSpan s_turn = TimeSpan.FromMilliseconds(50), s_compilation = TimeSpan.FromMilliseconds(150);

    /// <summary>The time of one run of each contender, by its name.</summary>
    public static IReadOnlyDictionary<string, RoundTimes> Measure(IReadOnlyList<Contender> contenders, IProgress<long>? progress, CancellationToken cancellation)
    {
        WarmUp(contenders, cancellation);
        int[] runs = [.. contenders.Select(RunsPerTurn)];
        var times = contenders.ToDictionary(contender => contender.Name, _ => new List<TimeSpan>(), StringComparer.Ordinal);
        for (int round = 0; round < Rounds; round++)
        {
            for (int i = 0; i < contenders.Count; i++)
            {
                cancellation.ThrowIfCancellationRequested();
                times[contenders[i].Name].Add(contenders[i].Time(runs[i]));
            }
            progress?.Report(round + 1);
        }
        return times.ToDictionary(pair => pair.Key, pair => new RoundTimes(pair.Value), StringComparer.Ordinal);
    }

    /// <summary>
    /// Runs every contender until the runtime has compiled its loops for good: it does so in the background, in steps, after pauses without new methods.
    /// Without this a network of 60 µs was measured at 160 µs.
    /// </summary>
    private static void WarmUp(IReadOnlyList<Contender> contenders, CancellationToken cancellation)
    {
        for (int round = 0; round < WarmUpRounds; round++)
        {
            foreach (Contender contender in contenders)
            {
                for (long start = Stopwatch.GetTimestamp(); Stopwatch.GetElapsedTime(start) < s_turn;)
                {
                    cancellation.ThrowIfCancellationRequested();
                    contender.Time(1);
                }
            }
            Thread.Sleep(s_compilation);
        }
    }

    private static int RunsPerTurn(Contender contender)
    {
        TimeSpan time = contender.Time(2);
        return time <= TimeSpan.Zero ? 100 : Math.Clamp((int)(s_turn / time), 1, 100);
    }
}
