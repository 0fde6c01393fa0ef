using System.Diagnostics;
using System.Globalization;
using System.Text;

namespace Fewbit.Graphs.Execution;

/// <summary>The time that one step of a plan takes.</summary>
/// <param name="Node">Name of the node.</param>
/// <param name="OpType">Operator type.</param>
/// <param name="Kernel">What runs: the prepared kernel, or the operator itself.</param>
/// <param name="Shape">Shape of the first output; empty where only a run tells.</param>
/// <param name="Milliseconds">Median over the runs.</param>
/// <param name="MultiplyAdds">Multiply-adds of a convolution or matrix product; 0 for other operators.</param>
/// <param name="Bytes">Bytes of all tensors that the step reads and writes; 0 where only a run tells.</param>
public sealed record StepTime(string Node, string OpType, string Kernel, string Shape, double Milliseconds, long MultiplyAdds, long Bytes)
{
    /// <summary>Two operations for each multiply-add, in 10^9 a second.</summary>
    public double GigaflopsPerSecond => Milliseconds > 0 ? 2e-6 * MultiplyAdds / Milliseconds : 0;
}

/// <summary>Where a plan spends its time.</summary>
/// <param name="Steps">In the order they run.</param>
/// <param name="Runs">Runs that were measured.</param>
public sealed record PlanProfile(IReadOnlyList<StepTime> Steps, int Runs)
{
    /// <summary>Sum of the steps' medians.</summary>
    public double Milliseconds => Steps.Sum(step => step.Milliseconds);

    /// <summary>Runs each step of a plan several times in turn, on what the input buffers hold, and takes the medians.</summary>
    internal static PlanProfile Of(IReadOnlyList<Step> steps, int runs)
    {
        var times = new double[steps.Count][];
        for (int i = 0; i < times.Length; i++) times[i] = new double[runs];
        for (int run = 0; run < runs; run++)
        {
            for (int i = 0; i < times.Length; i++)
            {
                long start = Stopwatch.GetTimestamp();
                steps[i].Run();
                times[i][run] = Stopwatch.GetElapsedTime(start).TotalMilliseconds;
            }
        }
        return new([.. steps.Select((step, i) => Describe(step, times[i]))], runs);
    }

    /// <summary>The slowest steps, and the sum by operator, as a table.</summary>
    public string ToTable(int rows = 20)
    {
        var text = new StringBuilder();
        foreach (StepTime step in Steps.OrderByDescending(step => step.Milliseconds).Take(rows))
            text.AppendLine(string.Create(CultureInfo.InvariantCulture, $"{step.Milliseconds,9:0.000} ms {step.GigaflopsPerSecond,7:0.0} GFLOP/s  {step.OpType,-20} {step.Shape,-22} {step.Kernel,-24} {step.Node}"));
        foreach (var group in Steps.GroupBy(step => step.OpType).OrderByDescending(group => group.Sum(step => step.Milliseconds)))
            text.AppendLine(string.Create(CultureInfo.InvariantCulture, $"{group.Sum(step => step.Milliseconds),9:0.000} ms in {group.Count(),3} {group.Key}"));
        text.AppendLine(string.Create(CultureInfo.InvariantCulture, $"{Milliseconds,9:0.000} ms in all"));
        return text.ToString();
    }

    private static StepTime Describe(Step step, double[] times)
    {
        Array.Sort(times);
        return new(step.Node.Name, step.Node.OpType, step.Kernel, step.OutputShape, times[times.Length / 2], OperationCount.MultiplyAdds(step), OperationCount.Bytes(step));
    }
}

/// <summary>Counts the multiply-adds of a step, and the bytes that it must move.</summary>
internal static class OperationCount
{
    public static long Bytes(Step step)
    {
        if (step is not StaticStep { Context: { } context }) return 0;
        long bytes = 0;
        for (int i = 0; i < context.InputCount; i++) bytes += context.FindInput(i)?.ByteCount ?? 0;
        for (int i = 0; i < context.OutputCount; i++) bytes += context.OutputOrNull(i)?.ByteCount ?? 0;
        return bytes;
    }

    public static long MultiplyAdds(Step step)
    {
        if (step is not StaticStep { Context: { } context }) return 0;
        return step.Node.OpType switch
        {
            "Conv" or "FusedConv" => context.Output(0).ElementCount * context.Input(1).Shape.CountOf(1, context.Input(1).Rank),
            "ConvTranspose" => context.Input(0).ElementCount * context.Input(1).Shape.CountOf(1, context.Input(1).Rank),
            "Gemm" => context.Output(0).ElementCount * (context.Input(0).ElementCount / Math.Max(1, context.Output(0).Shape[0])),
            "MatMul" or "FusedMatMul" when context.Input(0).Rank > 0 => context.Output(0).ElementCount * context.Input(0).Shape.Dims[^1],
            _ => 0,
        };
    }
}
