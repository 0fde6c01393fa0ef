using Fewbit.Graphs;

namespace Fewbit.Quantization;

/// <summary>Bytes of constants before and after.</summary>
internal static class Sizes
{
    public static SizeReport Of(Graph original, Graph model)
    {
        long bytes = Bytes(model);
        return new(Bytes(original), bytes, bytes);
    }

    private static long Bytes(Graph graph) => graph.Constants.Sum(value => value.Constant!.ByteCount);
}
