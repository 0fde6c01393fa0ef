using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace Fewbit.Tensors.Kernels;

/// <summary>Turns byte planes into words of four channels.</summary>
internal static unsafe class Interleave
{
    /// <param name="plane">The first of <paramref name="channels"/> (1 to 4) planes; a missing one counts as zeros.</param>
    /// <param name="channels">Planes that exist.</param>
    /// <param name="count">Pixels of a plane.</param>
    /// <param name="flip">Xor-ed with each word: 0x80808080 turns signed codes into unsigned ones.</param>
    /// <param name="to">Words, one a pixel.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Planes(byte* plane, int channels, int count, uint flip, uint* to)
    {
        int i = 0;
        if (KernelPaths.Active >= KernelPath.Avx2)
        {
            for (; i + 16 <= count; i += 16)
            {
                Vector128<byte> p0 = Vector128.Load(plane + i), p1 = channels > 1 ? Vector128.Load(plane + count + i) : default;
                Vector128<byte> p2 = channels > 2 ? Vector128.Load(plane + 2L * count + i) : default, p3 = channels > 3 ? Vector128.Load(plane + 3L * count + i) : default;
                Vector128<ushort> low01 = Sse2.UnpackLow(p0, p1).AsUInt16(), high01 = Sse2.UnpackHigh(p0, p1).AsUInt16();
                Vector128<ushort> low23 = Sse2.UnpackLow(p2, p3).AsUInt16(), high23 = Sse2.UnpackHigh(p2, p3).AsUInt16();
                Vector128<uint> mask = Vector128.Create(flip);
                (Sse2.UnpackLow(low01, low23).AsUInt32() ^ mask).Store(to + i);
                (Sse2.UnpackHigh(low01, low23).AsUInt32() ^ mask).Store(to + i + 4);
                (Sse2.UnpackLow(high01, high23).AsUInt32() ^ mask).Store(to + i + 8);
                (Sse2.UnpackHigh(high01, high23).AsUInt32() ^ mask).Store(to + i + 12);
            }
        }
        for (; i < count; i++)
        {
            uint word = 0;
            for (int c = 0; c < channels; c++) word |= (uint)plane[(long)c * count + i] << (8 * c);
            to[i] = word ^ flip;
        }
    }
}
