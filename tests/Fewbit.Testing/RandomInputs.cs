using Fewbit.Graphs;
using Fewbit.Tensors;

namespace Fewbit.Testing;

/// <summary>Seeded tensors for the inputs of a model.</summary>
public static class RandomInputs
{
    /// <summary>One tensor for each input: real numbers in [low, high], integers in [0, 100).</summary>
    /// <param name="inputs">The model's inputs.</param>
    /// <param name="seed">Seed of the elements.</param>
    /// <param name="length">Length of every dimension that is no number, by the input's name and the dimension's number.</param>
    /// <param name="low">Least real number.</param>
    /// <param name="high">Largest real number.</param>
    public static Dictionary<string, Tensor> For(IEnumerable<ValueInfo> inputs, int seed, Func<string, int, long> length, float low = -2, float high = 2)
    {
        var random = new Random(seed);
        return inputs.ToDictionary(input => input.Name, input => Fill(Tensor.Allocate(input.Type, ShapeOf(input, length)), random, low, high), StringComparer.Ordinal);
    }

    private static Shape ShapeOf(ValueInfo input, Func<string, int, long> length)
    {
        SymbolicShape shape = input.Shape ?? [];
        var dims = new long[shape.Rank];
        for (int axis = 0; axis < dims.Length; axis++) dims[axis] = shape[axis].IsKnown ? shape[axis].Length : length(input.Name, axis);
        return new(dims);
    }

    private static Tensor Fill(Tensor tensor, Random random, float low, float high)
    {
        switch (tensor.Type)
        {
            case ElementType.Float32:
                foreach (ref float value in tensor.Span<float>()) value = low + random.NextSingle() * (high - low);
                break;
            case ElementType.Int64:
                foreach (ref long value in tensor.Span<long>()) value = random.Next(100);
                break;
            default:
                throw new NotSupportedException($"no random {tensor.Type.Name()} input is needed by any model");
        }
        return tensor;
    }
}
