using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;
using Fewbit.Tensors.Threading;

namespace Fewbit.Tensors.Kernels;

/// <summary>Conversion between [N, C, pixels] and channel blocks [N, C/16, pixels, 16], whose last block is padded with zeros.</summary>
internal static unsafe class ChannelBlocks
{
    private const int PixelsPerChunk = 256;

    /// <summary>Channels of a block.</summary>
    public const int Width = 16;

    /// <summary>Floats of the blocked form.</summary>
    public static long Floats(long images, long channels, long pixels) => images * ((channels + Width - 1) / Width) * pixels * Width;

    public static void FromRowMajor(float* x, int images, int channels, int pixels, float* y)
    {
        var job = new ConvertJob(x, y, channels, pixels, toBlocks: true);
        Workers.Run(images * job.ChunksPerImage, ref job);
    }

    public static void ToRowMajor(float* x, int images, int channels, int pixels, float* y)
    {
        var job = new ConvertJob(y, x, channels, pixels, toBlocks: false);
        Workers.Run(images * job.ChunksPerImage, ref job);
    }

    /// <summary>to[i, j] = from[j, i] for a square of 16; rows of from behind the last count as zeros, rows of to behind the last are not written.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Transpose(float* from, long fromStride, int fromRows, float* to, long toStride, int toRows)
    {
        // Four times: pairs of rows, pairs of pairs, then 128-bit quarters twice.
        Quad(from, fromStride, fromRows, 0, out var a0, out var a1, out var a2, out var a3);
        Quad(from, fromStride, fromRows, 4, out var b0, out var b1, out var b2, out var b3);
        Quad(from, fromStride, fromRows, 8, out var c0, out var c1, out var c2, out var c3);
        Quad(from, fromStride, fromRows, 12, out var d0, out var d1, out var d2, out var d3);
        Column(a0, b0, c0, d0, to, toStride, toRows, 0);
        Column(a1, b1, c1, d1, to, toStride, toRows, 1);
        Column(a2, b2, c2, d2, to, toStride, toRows, 2);
        Column(a3, b3, c3, d3, to, toStride, toRows, 3);
    }

    /// <summary>Four rows: quarter q of result i holds column 4q + i of them.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Quad(float* from, long stride, int rows, int first, out Vector512<double> q0, out Vector512<double> q1, out Vector512<double> q2, out Vector512<double> q3)
    {
        Vector512<float> r0 = Row(from, stride, rows, first), r1 = Row(from, stride, rows, first + 1), r2 = Row(from, stride, rows, first + 2), r3 = Row(from, stride, rows, first + 3);
        Vector512<double> low01 = Avx512F.UnpackLow(r0, r1).AsDouble(), high01 = Avx512F.UnpackHigh(r0, r1).AsDouble(), low23 = Avx512F.UnpackLow(r2, r3).AsDouble(), high23 = Avx512F.UnpackHigh(r2, r3).AsDouble();
        q0 = Avx512F.UnpackLow(low01, low23);
        q1 = Avx512F.UnpackHigh(low01, low23);
        q2 = Avx512F.UnpackLow(high01, high23);
        q3 = Avx512F.UnpackHigh(high01, high23);
    }

    /// <summary>Gathers the quarters of columns first, first + 4, first + 8 and first + 12, and writes them as rows.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Column(Vector512<double> a, Vector512<double> b, Vector512<double> c, Vector512<double> d, float* to, long stride, int rows, int first)
    {
        Vector512<float> lowAB = Avx512F.Shuffle4x128(a.AsSingle(), b.AsSingle(), 0x44), highAB = Avx512F.Shuffle4x128(a.AsSingle(), b.AsSingle(), 0xEE);
        Vector512<float> lowCD = Avx512F.Shuffle4x128(c.AsSingle(), d.AsSingle(), 0x44), highCD = Avx512F.Shuffle4x128(c.AsSingle(), d.AsSingle(), 0xEE);
        if (first < rows) Avx512F.Shuffle4x128(lowAB, lowCD, 0x88).Store(to + first * stride);
        if (first + 4 < rows) Avx512F.Shuffle4x128(lowAB, lowCD, 0xDD).Store(to + (first + 4) * stride);
        if (first + 8 < rows) Avx512F.Shuffle4x128(highAB, highCD, 0x88).Store(to + (first + 8) * stride);
        if (first + 12 < rows) Avx512F.Shuffle4x128(highAB, highCD, 0xDD).Store(to + (first + 12) * stride);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<float> Row(float* from, long stride, int rows, int row) => row < rows ? Vector512.Load(from + row * stride) : default;

    /// <summary>A chunk is a range of pixels of one block.</summary>
    private readonly struct ConvertJob(float* rowMajor, float* blocked, int channels, int pixels, bool toBlocks) : IJob
    {
        private readonly int _blocks = (channels + Width - 1) / Width, _parts = (pixels + PixelsPerChunk - 1) / PixelsPerChunk;

        public int ChunksPerImage => _blocks * _parts;

        public void Run(int chunk)
        {
            int part = chunk % _parts, block = chunk / _parts % _blocks, image = chunk / _parts / _blocks;
            int first = part * PixelsPerChunk, end = Math.Min(first + PixelsPerChunk, pixels), lanes = Math.Min(Width, channels - block * Width);
            float* planes = rowMajor + ((long)image * channels + block * Width) * pixels, vectors = blocked + ((long)image * _blocks + block) * pixels * Width;
            int pixel = first;
            if (KernelPaths.Active >= KernelPath.Avx512)
            {
                for (; pixel + Width <= end; pixel += Width)
                {
                    if (toBlocks) Transpose(planes + pixel, pixels, lanes, vectors + (long)pixel * Width, Width, Width);
                    else Transpose(vectors + (long)pixel * Width, Width, Width, planes + pixel, pixels, lanes);
                }
            }
            for (; pixel < end; pixel++)
            {
                float* vector = vectors + (long)pixel * Width;
                if (toBlocks)
                {
                    for (int lane = 0; lane < lanes; lane++) vector[lane] = planes[(long)lane * pixels + pixel];
                    for (int lane = lanes; lane < Width; lane++) vector[lane] = 0;
                }
                else
                {
                    for (int lane = 0; lane < lanes; lane++) planes[(long)lane * pixels + pixel] = vector[lane];
                }
            }
        }
    }
}
