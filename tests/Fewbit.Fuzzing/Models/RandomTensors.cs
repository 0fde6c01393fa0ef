using Fewbit.Graphs;
using Fewbit.Tensors;

namespace Fewbit.Fuzzing.Models;

/// <summary>Small random inputs for whatever a mutated model asks for.</summary>
internal static class RandomTensors
{
    /// <summary>A tensor for each input; null where one has no type that holds numbers, or would be too large.</summary>
    public static Dictionary<string, Tensor>? For(Graph graph, Random random)
    {
        var tensors = new Dictionary<string, Tensor>(StringComparer.Ordinal);
        var symbols = new Dictionary<string, long>(StringComparer.Ordinal);
        double budget = FuzzLimits.InputBytes;
        foreach (Value input in graph.Inputs.Where(input => input.Constant is null))
        {
            if (input.Type.BitWidth() == 0) return null;
            long[] dims = Lengths(input.Shape, random, symbols);
            budget -= dims.Aggregate((double)input.Type.BitWidth() / 8, (product, dim) => product * dim);
            if (budget < 0 || dims.Aggregate(1.0, (product, dim) => product * Math.Max(1, dim)) > long.MaxValue / 2) return null;
            tensors[input.Name] = Fill(Tensor.Allocate(input.Type, new(dims)), random);
        }
        return tensors;
    }

    private static long[] Lengths(SymbolicShape? shape, Random random, Dictionary<string, long> symbols)
    {
        var dims = new long[shape?.Rank ?? random.Next(5)];
        for (int axis = 0; axis < dims.Length; axis++)
        {
            long any = random.Next(16) == 0 ? 0 : random.Next(1, 5);
            if (shape is null) dims[axis] = any;
            else if (shape[axis].IsKnown) dims[axis] = shape[axis].Length;
            else if (shape[axis].Symbol is not { } symbol) dims[axis] = any;
            else if (!symbols.TryGetValue(symbol, out dims[axis])) symbols.Add(symbol, dims[axis] = any);
        }
        return dims;
    }

    private static unsafe Tensor Fill(Tensor tensor, Random random)
    {
        if (tensor.ByteCount == 0) return tensor;
        switch (tensor.Type)
        {
            case ElementType.Float32:
                foreach (ref float value in tensor.Span<float>()) value = random.Next(16) == 0 ? Interesting.Real(random) : random.NextSingle() * 4 - 2;
                break;
            case ElementType.Int64:
                foreach (ref long value in tensor.Span<long>()) value = random.Next(6) == 0 ? Interesting.Integer(random) : random.Next(-2, 6);
                break;
            case ElementType.Int32:
                foreach (ref int value in tensor.Span<int>()) value = random.Next(6) == 0 ? (int)Interesting.Integer(random) : random.Next(-2, 6);
                break;
            case ElementType.Bool:
                foreach (ref byte value in tensor.Bytes) value = (byte)random.Next(2);
                break;
            default:
                random.NextBytes(tensor.Bytes);
                break;
        }
        return tensor;
    }
}
