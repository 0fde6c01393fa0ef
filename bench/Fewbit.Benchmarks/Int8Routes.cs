using System.Diagnostics;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;
using Fewbit.Tensors.Kernels;

namespace Fewbit.Benchmarks;

/// <summary>Inner loops for 8-bit and smaller products on one core, operands in the first-level cache. An operation is a multiplication or an addition. Prints a Markdown table.</summary>
internal static unsafe class Int8Routes
{
    private const int Words = 256;

    public static void Run(TextWriter output)
    {
        byte* a = Allocate(Words * 12 * 4), b = Allocate(Words * 48 * 4);
        int* tile = (int*)Allocate(12 * 48 * 4);
        output.WriteLine("| route | exact for | Gop/s, one core |");
        output.WriteLine("|---|---|---|");
        foreach (KernelPath path in Enum.GetValues<KernelPath>().Where(KernelPaths.IsSupported))
        {
            Int8Kernel kernel = Int8Kernel.For(path);
            double seconds = Best(() => kernel.SignedLeft(Words, a, b, tile, kernel.Rows));
            output.WriteLine($"| {Describe(path)} | 8-bit by 8-bit | {8e-9 * Words * kernel.Rows * kernel.Columns / seconds:F0} |");
        }
        if (Avx512BW.IsSupported)
            output.WriteLine($"| vpmaddubsw, vpmaddwd, 512 bits | 8-bit by 7-bit | {8e-9 * Words * 4 * 32 / Best(() => SevenBit(a, b, tile)):F0} |");
        if (Avx512Vbmi.IsSupported)
            output.WriteLine($"| vpermb: two 3-bit codes a look-up, in a table of their sums with two weights | sums of two below 64, bytes widened every 4 steps | {4e-9 * Words * 4 * 64 / Best(() => LookUp(a, b, tile)):F0} |");
    }

    private static string Describe(KernelPath path) => path switch
    {
        KernelPath.Emitted => "vpdpbusd 512 bits, emitted, 12x32",
        KernelPath.Avx512 => "widened to 16 bits, vpmaddwd 512 bits",
        KernelPath.Avx2 => AvxVnni.IsSupported ? "vpdpbusd 256 bits (AVX-VNNI)" : "widened to 16 bits, vpmaddwd 256 bits",
        KernelPath.Portable => "Vector<int> multiplications",
        _ => "scalar",
    };

    private static double Best(Action run)
    {
        double best = double.PositiveInfinity;
        for (int round = 0; round < 200; round++)
        {
            long start = Stopwatch.GetTimestamp();
            for (int i = 0; i < 20; i++) run();
            best = Math.Min(best, Stopwatch.GetElapsedTime(start).TotalSeconds / 20);
        }
        return best;
    }

    /// <summary>4 rows by 32 columns: a pair of products fits 16 bits as long as one side has 7.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void SevenBit(byte* a, byte* b, int* tile)
    {
        Vector512<int> c00 = default, c01 = default, c10 = default, c11 = default, c20 = default, c21 = default, c30 = default, c31 = default;
        var ones = Vector512.Create((short)1);
        for (int p = 0; p < Words; p++, a += 16, b += 128)
        {
            Vector512<byte> b0 = Vector512.Load(b), b1 = Vector512.Load(b + 64);
            Vector512<sbyte> x = Vector512.Create(*(int*)a).AsSByte();
            c00 += Avx512BW.MultiplyAddAdjacent(Avx512BW.MultiplyAddAdjacent(b0, x), ones);
            c01 += Avx512BW.MultiplyAddAdjacent(Avx512BW.MultiplyAddAdjacent(b1, x), ones);
            x = Vector512.Create(*(int*)(a + 4)).AsSByte();
            c10 += Avx512BW.MultiplyAddAdjacent(Avx512BW.MultiplyAddAdjacent(b0, x), ones);
            c11 += Avx512BW.MultiplyAddAdjacent(Avx512BW.MultiplyAddAdjacent(b1, x), ones);
            x = Vector512.Create(*(int*)(a + 8)).AsSByte();
            c20 += Avx512BW.MultiplyAddAdjacent(Avx512BW.MultiplyAddAdjacent(b0, x), ones);
            c21 += Avx512BW.MultiplyAddAdjacent(Avx512BW.MultiplyAddAdjacent(b1, x), ones);
            x = Vector512.Create(*(int*)(a + 12)).AsSByte();
            c30 += Avx512BW.MultiplyAddAdjacent(Avx512BW.MultiplyAddAdjacent(b0, x), ones);
            c31 += Avx512BW.MultiplyAddAdjacent(Avx512BW.MultiplyAddAdjacent(b1, x), ones);
        }
        ((c00 + c10) + (c20 + c30)).Store(tile);
        ((c01 + c11) + (c21 + c31)).Store(tile + 16);
    }

    /// <summary>Four rows, each with a table of what a pair of weights gives for all 64 pairs of codes; 64 columns a step.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void LookUp(byte* tables, byte* codes, int* tile)
    {
        Vector512<ushort> w0 = default, w1 = default, w2 = default, w3 = default;
        for (int p = 0; p < Words; p += 4)
        {
            Vector512<byte> s0 = default, s1 = default, s2 = default, s3 = default;
            for (int j = 0; j < 4; j++, codes += 64)
            {
                Vector512<byte> index = Vector512.Load(codes);
                s0 += Avx512Vbmi.PermuteVar64x8(Vector512.Load(tables), index);
                s1 += Avx512Vbmi.PermuteVar64x8(Vector512.Load(tables + 64), index);
                s2 += Avx512Vbmi.PermuteVar64x8(Vector512.Load(tables + 128), index);
                s3 += Avx512Vbmi.PermuteVar64x8(Vector512.Load(tables + 192), index);
            }
            w0 += Avx512BW.SumAbsoluteDifferences(s0, Vector512<byte>.Zero);
            w1 += Avx512BW.SumAbsoluteDifferences(s1, Vector512<byte>.Zero);
            w2 += Avx512BW.SumAbsoluteDifferences(s2, Vector512<byte>.Zero);
            w3 += Avx512BW.SumAbsoluteDifferences(s3, Vector512<byte>.Zero);
        }
        (w0 + w1 + (w2 + w3)).AsInt32().Store(tile);
    }

    private static byte* Allocate(int bytes)
    {
        byte* memory = (byte*)NativeMemory.AlignedAlloc((nuint)bytes, 64);
        for (int i = 0; i < bytes; i++) memory[i] = (byte)(i * 31);
        return memory;
    }
}
