using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace Fewbit.Graphs.Operators;

/// <summary>
/// Sums of a row by packets of 4 lanes on every machine: two running packets, their sum, the odd packet, lanes (0 + 2) + (1 + 3), then the rest one by one.
/// The order of Eigen with SSE, in which ONNX Runtime normalizes instances: equal sums keep the codes behind a quantizer equal.
/// </summary>
internal static class PacketSums
{
    private const int Width = 4;

    /// <summary>Sum of a row.</summary>
    /// <param name="x">The row.</param>
    /// <param name="lead">Elements up to the first packet, which starts at an address that 16 divides.</param>
    public static float Sum(ReadOnlySpan<float> x, int lead) => Reduce(new Element(), x, Math.Min(lead, x.Length));

    /// <summary>Sum of (x - shift)^2; the first packet starts with the row.</summary>
    public static float SumOfSquares(ReadOnlySpan<float> x, float shift) => Reduce(new SquaredDistance(shift), x, 0);

    private static float Reduce<TTerm>(TTerm term, ReadOnlySpan<float> x, int lead) where TTerm : struct, ITerm
    {
        if (x.IsEmpty) return 0;
        ReadOnlySpan<float> body = x[lead..];
        if (body.Length < Width) return AddEach(term, term.Of(x[0]), x[1..]);
        ReadOnlySpan<Vector256<float>> pairs = MemoryMarshal.Cast<float, Vector256<float>>(body);
        Vector128<float> packet;
        int at = 2 * Width * pairs.Length;
        if (pairs.IsEmpty)
        {
            packet = term.Of(Vector256.Create(Vector128.Create(body), default)).GetLower();
            at = Width;
        }
        else
        {
            Vector256<float> running = term.Of(pairs[0]);
            foreach (Vector256<float> pair in pairs[1..]) running += term.Of(pair);
            packet = running.GetLower() + running.GetUpper();
            if (at + Width <= body.Length)
            {
                packet += term.Of(Vector256.Create(Vector128.Create(body[at..]), default)).GetLower();
                at += Width;
            }
        }
        float sum = packet[0] + packet[2] + (packet[1] + packet[3]);
        return AddEach(term, AddEach(term, sum, x[..lead]), body[at..]);
    }

    private static float AddEach<TTerm>(TTerm term, float sum, ReadOnlySpan<float> x) where TTerm : struct, ITerm
    {
        foreach (float value in x) sum += term.Of(value);
        return sum;
    }

    private interface ITerm
    {
        Vector256<float> Of(Vector256<float> x);

        float Of(float x);
    }

    private readonly struct Element : ITerm
    {
        public Vector256<float> Of(Vector256<float> x) => x;

        public float Of(float x) => x;
    }

    private readonly struct SquaredDistance(float centre) : ITerm
    {
        public Vector256<float> Of(Vector256<float> x) => (x - Vector256.Create(centre)) * (x - Vector256.Create(centre));

        public float Of(float x) => (x - centre) * (x - centre);
    }
}
