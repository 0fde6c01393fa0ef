using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace Fewbit.Tensors.Kernels;

/// <summary>Transposes squares of up to 16 by 16 floats with AVX-512.</summary>
internal static unsafe class SquareTranspose
{
    private const int Side = 16;

    /// <summary>to[j, i] = from[i, j] for j below <paramref name="columns"/> and i below <paramref name="toColumns"/>; rows of from behind the last count as zeros.</summary>
    /// <param name="from">Row 0.</param>
    /// <param name="fromStride">Floats from row to row.</param>
    /// <param name="rows">Rows of from, 1 to 16.</param>
    /// <param name="columns">Columns of from that are read, 1 to 16.</param>
    /// <param name="to">Row 0 of the result.</param>
    /// <param name="toStride">Floats from row to row of the result.</param>
    /// <param name="toColumns">Floats of a row of the result that are written, 1 to 16.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Run(float* from, long fromStride, int rows, int columns, float* to, long toStride, int toColumns)
    {
        // Four times: pairs of rows, pairs of pairs, then 128-bit quarters twice.
        Quad(from, fromStride, rows, columns, 0, out var a0, out var a1, out var a2, out var a3);
        Quad(from, fromStride, rows, columns, 4, out var b0, out var b1, out var b2, out var b3);
        Quad(from, fromStride, rows, columns, 8, out var c0, out var c1, out var c2, out var c3);
        Quad(from, fromStride, rows, columns, 12, out var d0, out var d1, out var d2, out var d3);
        Column(a0, b0, c0, d0, to, toStride, columns, toColumns, 0);
        Column(a1, b1, c1, d1, to, toStride, columns, toColumns, 1);
        Column(a2, b2, c2, d2, to, toStride, columns, toColumns, 2);
        Column(a3, b3, c3, d3, to, toStride, columns, toColumns, 3);
    }

    /// <summary>The first <paramref name="count"/> lanes.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> Lanes(int count) => Vector512.LessThan(Vector512<int>.Indices, Vector512.Create(count)).AsSingle();

    /// <summary>Four rows: quarter q of result i holds column 4q + i of them.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Quad(float* from, long stride, int rows, int columns, int first, out Vector512<double> q0, out Vector512<double> q1, out Vector512<double> q2, out Vector512<double> q3)
    {
        Vector512<float> r0 = Row(from, stride, rows, columns, first), r1 = Row(from, stride, rows, columns, first + 1), r2 = Row(from, stride, rows, columns, first + 2), r3 = Row(from, stride, rows, columns, first + 3);
        Vector512<double> low01 = Avx512F.UnpackLow(r0, r1).AsDouble(), high01 = Avx512F.UnpackHigh(r0, r1).AsDouble(), low23 = Avx512F.UnpackLow(r2, r3).AsDouble(), high23 = Avx512F.UnpackHigh(r2, r3).AsDouble();
        q0 = Avx512F.UnpackLow(low01, low23);
        q1 = Avx512F.UnpackHigh(low01, low23);
        q2 = Avx512F.UnpackLow(high01, high23);
        q3 = Avx512F.UnpackHigh(high01, high23);
    }

    /// <summary>Gathers the quarters of columns first, first + 4, first + 8 and first + 12, and writes them as rows.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Column(Vector512<double> a, Vector512<double> b, Vector512<double> c, Vector512<double> d, float* to, long stride, int rows, int columns, int first)
    {
        Vector512<float> lowAB = Avx512F.Shuffle4x128(a.AsSingle(), b.AsSingle(), 0x44), highAB = Avx512F.Shuffle4x128(a.AsSingle(), b.AsSingle(), 0xEE);
        Vector512<float> lowCD = Avx512F.Shuffle4x128(c.AsSingle(), d.AsSingle(), 0x44), highCD = Avx512F.Shuffle4x128(c.AsSingle(), d.AsSingle(), 0xEE);
        if (first < rows) Store(Avx512F.Shuffle4x128(lowAB, lowCD, 0x88), to + first * stride, columns);
        if (first + 4 < rows) Store(Avx512F.Shuffle4x128(lowAB, lowCD, 0xDD), to + (first + 4) * stride, columns);
        if (first + 8 < rows) Store(Avx512F.Shuffle4x128(highAB, highCD, 0x88), to + (first + 8) * stride, columns);
        if (first + 12 < rows) Store(Avx512F.Shuffle4x128(highAB, highCD, 0xDD), to + (first + 12) * stride, columns);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<float> Row(float* from, long stride, int rows, int columns, int row)
    {
        if (row >= rows) return default;
        return columns == Side ? Vector512.Load(from + row * stride) : Avx512F.MaskLoad(from + row * stride, Lanes(columns), Vector512<float>.Zero);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Store(Vector512<float> row, float* to, int columns)
    {
        if (columns == Side) row.Store(to);
        else Avx512F.MaskStore(to, Lanes(columns), row);
    }
}
