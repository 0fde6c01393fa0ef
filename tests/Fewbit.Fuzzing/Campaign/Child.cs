using System.Globalization;
using Fewbit.Fuzzing.Data;
using Fewbit.Fuzzing.Models;
using Fewbit.Fuzzing.Weights;
using Fewbit.Tensors.Threading;

namespace Fewbit.Fuzzing.Campaign;

/// <summary>A process that tries case after case and says on its output how each ended.</summary>
internal static class Child
{
    /// <summary>Tries cases first, first + step, ... below end.</summary>
    public static void Run(string kind, int seed, long first, long end, long step, string folder, TextWriter output)
    {
        Workers.ThreadCount = 1;
        var thread = new Thread(() => RunAll(Cases(kind, seed, folder), first, end, step, output), FuzzLimits.StackBytes);
        thread.Start();
        thread.Join();
    }

    public static ICases Cases(string kind, int seed, string folder) => kind switch
    {
        "models" => new ModelCases(seed, folder),
        "data" => new DataCases(seed, folder),
        "weights" => new WeightCases(seed, folder),
        _ => throw new ArgumentException($"there are no cases of kind '{kind}', expected models, data or weights"),
    };

    private static void RunAll(ICases cases, long first, long end, long step, TextWriter output)
    {
        output.WriteLine($"ready\t{cases.Description}");
        output.Flush();
        for (long number = first; number < end; number += step)
        {
            (string name, byte[] content) = cases.Create(number);
            Outcome outcome = cases.Run(name, content, number);
            if (!outcome.IsFinding && Environment.WorkingSet > FuzzLimits.ResidentBytes) outcome = new("finding: memory beyond the limit", true, $"{Environment.WorkingSet >> 20} MiB resident after the case");
            output.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{number}\t{outcome.Kind}\t{(outcome.IsFinding ? 1 : 0)}\t{Outcome.OneLine(outcome.Detail)}"));
            output.Flush();
            // What a case over the limit left behind must not be laid on the next ones.
            if (outcome.Kind.Contains("memory", StringComparison.Ordinal)) return;
        }
    }
}
