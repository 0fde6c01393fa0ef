using Fewbit.Tensors;
using Fewbit.Tensors.Kernels;

namespace Fewbit.Graphs.Operators.Quantized;

/// <summary>A function of one 8-bit code as a table by the byte that holds the code.</summary>
internal static unsafe class LookupTable
{
    /// <summary>code -> quantize(function(sx * (code - zx))).</summary>
    public static byte[] Of(ElementType type, CodeScale x, CodeScale y, Func<float, float> function)
    {
        (int min, int max) = CodeRange.Of(type);
        var table = new byte[256];
        for (int code = min; code <= max; code++)
        {
            float value = function(x.Scale * (code - x.ZeroPoint));
            table[(byte)code] = (byte)Rounding.ToCode(value / y.Scale, y.ZeroPoint, min, max);
        }
        return table;
    }

    /// <summary>The change from one quantization to another; null where they are the same.</summary>
    public static byte[]? Between(ElementType type, CodeScale x, CodeScale y) => x == y ? null : Of(type, x, y, value => value);

    /// <summary>Maps the codes of a tensor to another of the same size; without a table they are copied.</summary>
    public static void Apply(byte[]? table, byte* x, byte* y, long count)
    {
        if (table is null) Buffer.MemoryCopy(x, y, count, count);
        else fixed (byte* entries = table) CodeTable.Apply(x, y, count, entries);
    }
}
