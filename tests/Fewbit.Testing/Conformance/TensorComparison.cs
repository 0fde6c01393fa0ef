using System.Globalization;
using Fewbit.Tensors;

namespace Fewbit.Testing.Conformance;

/// <summary>Compares tensors as the ONNX backend suite does: integers and narrow floats exactly, wider floats by |a - b| &lt;= 1e-7 + r |a|.</summary>
public static class TensorComparison
{
    private const double Absolute = 1e-7;

    /// <summary>Where the tensors differ first and by how much; null where they agree.</summary>
    public static string? Difference(Tensor expected, Tensor actual)
    {
        if (expected.Type != actual.Type || expected.Shape != actual.Shape) return $"is {actual}, expected {expected}";
        return expected.Type switch
        {
            ElementType.Float32 => Floats<float>(expected, actual, x => x, 1e-3),
            ElementType.Float64 => Floats<double>(expected, actual, x => x, 1e-3),
            ElementType.Float16 => Floats<Half>(expected, actual, x => (double)x, 1e-3),
            ElementType.BFloat16 => Floats<BFloat16>(expected, actual, x => (float)x, 1e-3),
            _ => Bytes(expected, actual),
        };
    }

    /// <summary>max |a - b| / max |a| over all elements; infinity where one is not finite and the other differs.</summary>
    public static double MaxRelativeError(Tensor expected, Tensor actual)
    {
        if (expected.Type != actual.Type || expected.Shape != actual.Shape) return double.PositiveInfinity;
        if (expected.Type != ElementType.Float32) return expected.Bytes.SequenceEqual(actual.Bytes) ? 0 : double.PositiveInfinity;
        Span<float> a = expected.Span<float>(), b = actual.Span<float>();
        double largest = 0, error = 0;
        for (int i = 0; i < a.Length; i++)
        {
            if (!float.IsFinite(a[i]) || !float.IsFinite(b[i]))
            {
                if (!a[i].Equals(b[i])) return double.PositiveInfinity;
                continue;
            }
            largest = Math.Max(largest, Math.Abs(a[i]));
            error = Math.Max(error, Math.Abs((double)a[i] - b[i]));
        }
        return largest == 0 ? error : error / largest;
    }

    private static string? Floats<T>(Tensor expected, Tensor actual, Func<T, double> widen, double relative) where T : unmanaged
    {
        Span<T> a = expected.Span<T>(), b = actual.Span<T>();
        int wrong = 0, first = -1;
        for (int i = 0; i < a.Length; i++)
        {
            double x = widen(a[i]), y = widen(b[i]);
            bool agrees = x.Equals(y) || Math.Abs(x - y) <= Absolute + relative * Math.Abs(x);
            if (agrees) continue;
            if (wrong++ == 0) first = i;
        }
        return wrong == 0 ? null : string.Create(CultureInfo.InvariantCulture, $"differs in {wrong} of {a.Length} elements, first [{first}] is {widen(b[first])}, expected {widen(a[first])}");
    }

    private static string? Bytes(Tensor expected, Tensor actual)
    {
        int bits = expected.Type.BitWidth();
        for (long i = 0; i < expected.ElementCount; i++)
        {
            (ulong a, ulong b) = (Element(expected, i, bits), Element(actual, i, bits));
            if (a != b) return $"differs, first [{i}] is 0x{b:X}, expected 0x{a:X} ({expected.Type.Name()})";
        }
        return null;
    }

    /// <summary>The low 64 bits of an element; padding of packed types is not among them.</summary>
    private static ulong Element(Tensor tensor, long index, int bits)
    {
        if (bits < 8) return (ulong)(tensor.Bytes[(int)(index * bits / 8)] >> (int)(index * bits % 8)) & ((1u << bits) - 1);
        ulong element = 0;
        for (int i = 0; i < bits / 8; i++) element = (element << 8) ^ tensor.Bytes[(int)(index * (bits / 8)) + bits / 8 - 1 - i];
        return element;
    }
}
