using Fewbit.Cli.Timing;
using Fewbit.Graphs;
using Fewbit.Tensors;

namespace Fewbit.Cli.Quantizing;

/// <summary>Seeded inputs for a model whose data are not at hand.</summary>
internal static class SampleInputs
{
    /// <summary>Real numbers in [-1, 1]; whole numbers are rows of the tables that they look up, and 0 elsewhere.</summary>
    public static IReadOnlyDictionary<string, Tensor> Of(Graph sized, long seed)
    {
        IReadOnlyDictionary<string, Tensor> inputs = BenchmarkInputs.Of(sized, sized, 1, seed);
        var random = new SeededRandom((ulong)seed);
        foreach ((string name, Tensor tensor) in inputs)
        {
            if (Rows(sized.Find(name)!) is not { } rows) continue;
            if (tensor.Type == ElementType.Int64)
            {
                foreach (ref long index in tensor.Span<long>()) index = (long)(random.NextSingle() * rows);
            }
            else if (tensor.Type == ElementType.Int32)
            {
                foreach (ref int index in tensor.Span<int>()) index = (int)(random.NextSingle() * rows);
            }
        }
        return inputs;
    }

    private static long? Rows(Value input)
    {
        long[] tables = [.. input.Uses.Where(use => use.Node.Is("Gather") && use.Index == 1 && use.Node.Int("axis", 0) == 0).Select(use => use.Node.Inputs[0]?.Shape).OfType<SymbolicShape>()
            .Where(shape => shape.Rank > 0 && shape[0].IsKnown).Select(shape => shape[0].Length)];
        return tables.Length == 0 ? null : tables.Min();
    }
}
