using Fewbit.Graphs;
using Fewbit.Tensors;

namespace Fewbit.Cli.Timing;

/// <summary>Inputs to time a model with: numbers do not matter, shapes do.</summary>
internal static class BenchmarkInputs
{
    /// <summary>A tensor for each input of a sized graph: real numbers in [-1, 1], integers 0.</summary>
    /// <param name="sized">A graph whose batch is 1 where it was open.</param>
    /// <param name="original">The graph as it is, which tells what was open.</param>
    /// <param name="batch">Samples a run.</param>
    /// <param name="seed">Seed of the numbers.</param>
    /// <exception cref="ArgumentException">A length is not known, or the model's batch is fixed to another number.</exception>
    public static IReadOnlyDictionary<string, Tensor> Of(Graph sized, Graph original, int batch, long seed)
    {
        var random = new SeededRandom((ulong)seed);
        var inputs = new Dictionary<string, Tensor>(StringComparer.Ordinal);
        foreach (Value input in Inspection.ModelSummary.FedInputs(sized))
        {
            if (input.Shape is not { IsKnown: true } shape) throw new ArgumentException($"input {input} has open lengths; give them with --shape, such as --shape 1,128");
            Dim first = original.Find(input.Name)!.Shape is { Rank: > 0 } open ? open[0] : Dim.Unknown;
            if (first.IsKnown && shape.Rank > 0 && batch != 1 && first.Length != batch) throw new ArgumentException($"--batch is {batch}, but input {original.Find(input.Name)} has a fixed batch of {first.Length}");
            Shape size = shape.ToShape();
            inputs[input.Name] = Fill(Tensor.Allocate(input.Type, first.IsKnown || size.Rank == 0 || batch == 1 ? size : size.With(0, batch)), ref random);
        }
        return inputs;
    }

    private static Tensor Fill(Tensor tensor, ref SeededRandom random)
    {
        if (tensor.Type != ElementType.Float32) return tensor;
        foreach (ref float value in tensor.Span<float>()) value = 2 * random.NextSingle() - 1;
        return tensor;
    }
}
