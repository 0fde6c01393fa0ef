using System.Numerics;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace Fewbit.Graphs.Operators;

/// <summary>Sums and maxima of a row, in an order that does not depend on where the row lies.</summary>
internal static class RowReductions
{
    public static float Sum(ReadOnlySpan<float> x)
    {
        ReadOnlySpan<Vector<float>> vectors = MemoryMarshal.Cast<float, Vector<float>>(x);
        Vector<float> a = default, b = default;
        int i = 0;
        for (; i + 2 <= vectors.Length; i += 2)
        {
            a += vectors[i];
            b += vectors[i + 1];
        }
        if (i < vectors.Length) a += vectors[i];
        float sum = Vector.Sum(a + b);
        for (i = vectors.Length * Vector<float>.Count; i < x.Length; i++) sum += x[i];
        return sum;
    }

    /// <summary>Sum of (x - shift)^2.</summary>
    public static float SumOfSquares(ReadOnlySpan<float> x, float shift)
    {
        ReadOnlySpan<Vector<float>> vectors = MemoryMarshal.Cast<float, Vector<float>>(x);
        var centre = new Vector<float>(shift);
        Vector<float> a = default, b = default;
        int i = 0;
        for (; i + 2 <= vectors.Length; i += 2)
        {
            Vector<float> p = vectors[i] - centre, q = vectors[i + 1] - centre;
            a += p * p;
            b += q * q;
        }
        if (i < vectors.Length) a += (vectors[i] - centre) * (vectors[i] - centre);
        float sum = Vector.Sum(a + b);
        for (i = vectors.Length * Vector<float>.Count; i < x.Length; i++) sum += (x[i] - shift) * (x[i] - shift);
        return sum;
    }

    /// <summary>Sum by 16 lanes on every machine, then halves, then neighbours: the order of ONNX Runtime with AVX-512.</summary>
    public static float SumOf16(ReadOnlySpan<float> x)
    {
        ReadOnlySpan<Vector512<float>> vectors = MemoryMarshal.Cast<float, Vector512<float>>(x);
        Vector512<float> lanes = default;
        foreach (Vector512<float> vector in vectors) lanes += vector;
        ReadOnlySpan<float> rest = x[(vectors.Length * Vector512<float>.Count)..];
        if (!rest.IsEmpty)
        {
            Span<float> padded = stackalloc float[Vector512<float>.Count];
            padded.Clear();
            rest.CopyTo(padded);
            lanes += Vector512.Create<float>(padded);
        }
        Vector256<float> half = lanes.GetUpper() + lanes.GetLower();
        return (half[0] + half[1] + (half[2] + half[3])) + (half[4] + half[5] + (half[6] + half[7]));
    }

    /// <summary>The largest element of a row that is not empty; NaN where there is one.</summary>
    public static float Max(ReadOnlySpan<float> x)
    {
        float best = x[0];
        int i = 0, width = Vector<float>.Count;
        if (x.Length >= width)
        {
            var vector = new Vector<float>(x);
            for (i = width; i + width <= x.Length; i += width) vector = Vector.Max(vector, new Vector<float>(x[i..]));
            for (int lane = 0; lane < width; lane++) best = MathF.Max(best, vector[lane]);
        }
        for (; i < x.Length; i++) best = MathF.Max(best, x[i]);
        return best;
    }
}
