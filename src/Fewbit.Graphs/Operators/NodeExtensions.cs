using Fewbit.Tensors;

namespace Fewbit.Graphs.Operators;

/// <summary>Readings that several operators share.</summary>
internal static class NodeExtensions
{
    /// <summary>The elements of an int32 or int64 tensor.</summary>
    public static long[] ReadInts(this Node node, Tensor tensor)
    {
        switch (tensor.Type)
        {
            case ElementType.Int64:
                return tensor.Span<long>().ToArray();
            case ElementType.Int32:
                return Array.ConvertAll(tensor.Span<int>().ToArray(), value => (long)value);
            default:
                throw node.Fail($"reads lengths, axes or positions from a {tensor.Type.Name()} tensor, expected int64 or int32");
        }
    }

    /// <summary>The only element of an int32 or int64 tensor.</summary>
    public static long ReadInt(this Node node, Tensor tensor)
    {
        node.Expect(tensor.ElementCount == 1, $"reads one integer from {tensor}");
        return node.ReadInts(tensor)[0];
    }

    /// <summary>Fails unless the number of inputs lies in [min, max].</summary>
    public static void ExpectInputs(this Node node, int min, int max)
    {
        int count = node.Inputs.Count;
        node.Expect(count >= min && count <= max, $"has {count} inputs, expected {(min == max ? $"{min}" : $"{min} to {max}")}");
        for (int i = 0; i < min; i++) node.Expect(node.Input(i) is not null, $"input {i} is left out, but it is required");
    }
}
