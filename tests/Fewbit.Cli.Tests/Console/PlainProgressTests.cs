using Fewbit.Cli.Console;

namespace Fewbit.Cli.Tests.Console;

public class PlainProgressTests
{
    [Fact]
    public void Report_UnderTwoSeconds_IsSilent()
    {
        (StringWriter messages, Clock clock) = (new(), new());
        var progress = new PlainProgress(messages, "calibrating", 100, "samples", clock);
        clock.Seconds = 1.9;
        progress.Report(50);
        Assert.Empty(messages.ToString());
    }

    [Fact]
    public void Report_OverTime_WritesALineWithRateAndTimeLeftEachTenSeconds()
    {
        (StringWriter messages, Clock clock) = (new() { NewLine = "\n" }, new());
        var progress = new PlainProgress(messages, "calibrating", 100, "samples", clock);
        (clock.Seconds, double[] times) = (0, [2.5, 5, 12, 12.5, 20]);
        foreach (double time in times)
        {
            clock.Seconds = time;
            progress.Report((long)(4 * time));
        }
        Assert.Equal("calibrating: 10 of 100 samples, 4.00 samples/s, 23.0 s left\ncalibrating: 50 of 100 samples, 4.00 samples/s, 13.0 s left\n", messages.ToString());
    }

    private sealed class Clock : TimeProvider
    {
        public double Seconds { get; set; }
        public override long TimestampFrequency => 1000;
        public override long GetTimestamp() => (long)(1000 * Seconds);
    }
}
