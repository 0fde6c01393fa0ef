using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace Fewbit.Tensors.Kernels;

/// <summary>The inner loop of matrix products and convolutions: tile[r, c] = sum over p of a[p, r] * b[offsets[p] + c].</summary>
/// <remarks>The offsets are those of packed panels (<see cref="PanelOffsets"/>), or places in an image that is read without packing.</remarks>
internal readonly unsafe struct FloatKernel(KernelPath path, int rows, int columns, delegate*<int, float*, float*, int*, float*, int, int, bool, void> body, delegate*<int, float*, float*, float*, int, bool, float*, int, void> whole = null)
{
    private static readonly int* Packed4 = Table(4), PackedPortable = Table(2 * Vector<float>.Count), Packed16 = Table(16), Packed32 = Table(32);

    /// <summary>The path it belongs to.</summary>
    public readonly KernelPath Path = path;

    /// <summary>Rows of a panel of the left operand, and of the tile.</summary>
    public readonly int Rows = rows;

    /// <summary>Columns of a panel of the right operand, and of the tile (its row stride).</summary>
    public readonly int Columns = columns;

    /// <summary>(k, a, b, offsets, tile, rows, columns, adds): computes at least the first <c>rows</c> rows and <c>columns</c> columns of the tile, from zero or on top of what it holds.</summary>
    public readonly delegate*<int, float*, float*, int*, float*, int, int, bool, void> Body = body;

    /// <summary>(k, a, b, c, stride, adds, next, nextStep): a whole tile of packed panels, written to or added to c, while memory from next on is prefetched; null where a path has none.</summary>
    public readonly delegate*<int, float*, float*, float*, int, bool, float*, int, void> Whole = whole;

    public static FloatKernel Active => For(KernelPaths.Active);

    /// <summary>Offsets of a packed panel, for up to <see cref="PackedMatrix.MaxBlock"/> steps.</summary>
    public int* PanelOffsets => Path switch
    {
        KernelPath.Scalar => Packed4,
        KernelPath.Portable => PackedPortable,
        KernelPath.Avx2 => Packed16,
        _ => Packed32,
    };

    public static FloatKernel For(KernelPath path) => path switch
    {
        KernelPath.Scalar => new(path, 4, 4, &FloatKernels.Scalar),
        KernelPath.Portable => new(path, 6, 2 * Vector<float>.Count, &FloatKernels.Portable),
        KernelPath.Avx2 => new(path, 6, 16, &FloatKernels.Avx2),
        _ => new(KernelPath.Avx512, 12, 32, &FloatKernels.Avx512, &WholeTile.Avx512),
    };

    private static int* Table(int width)
    {
        int* table = (int*)NativeMemory.Alloc(PackedMatrix.MaxBlock * sizeof(int)); // four small tables that live as long as the process
        for (int i = 0; i < PackedMatrix.MaxBlock; i++) table[i] = i * width;
        return table;
    }
}

internal static unsafe class FloatKernels
{
    private const int LeftPanel512 = 12, LeftPanel256 = 6;

    /// <summary>Up to here a tile is one vector of columns and single columns after it: 49 pixels of a 7x7 plane are three vectors and one.</summary>
    private const int MostNarrowColumns = 18;

    /// <summary>What a matrix of this many columns costs on the AVX-512 path, in whole tiles.</summary>
    internal static double Tiles(int columns)
    {
        int rest = columns % 32;
        return columns / 32 + (rest > MostNarrowColumns ? 1 : rest > 16 ? 0.5 + (rest - 16) / 20.0 : rest > 0 ? 0.5 : 0);
    }

    internal static void Scalar(int k, float* a, float* b, int* offsets, float* tile, int rows, int columns, bool adds)
    {
        for (int r = 0; r < rows; r++)
        {
            for (int c = 0; c < 4; c++)
            {
                float sum = adds ? tile[r * 4 + c] : 0;
                for (int p = 0; p < k; p++) sum = MathF.FusedMultiplyAdd(a[p * 4 + r], b[offsets[p] + c], sum);
                tile[r * 4 + c] = sum;
            }
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    internal static void Portable(int k, float* a, float* b, int* offsets, float* tile, int rows, int columns, bool adds)
    {
        Vector<float> c00 = default, c01 = default, c10 = default, c11 = default, c20 = default, c21 = default;
        Vector<float> c30 = default, c31 = default, c40 = default, c41 = default, c50 = default, c51 = default;
        int width = Vector<float>.Count;
        var t = (Vector<float>*)tile;
        if (adds)
        {
            (c00, c01, c10, c11, c20, c21, c30, c31) = (t[0], t[1], t[2], t[3], t[4], t[5], t[6], t[7]);
            (c40, c41, c50, c51) = (t[8], t[9], t[10], t[11]);
        }
        for (int p = 0; p < k; p++, a += LeftPanel256)
        {
            float* y = b + offsets[p];
            Vector<float> b0 = *(Vector<float>*)y, b1 = *(Vector<float>*)(y + width);
            var x = new Vector<float>(a[0]);
            c00 = Vector.FusedMultiplyAdd(x, b0, c00);
            c01 = Vector.FusedMultiplyAdd(x, b1, c01);
            x = new Vector<float>(a[1]);
            c10 = Vector.FusedMultiplyAdd(x, b0, c10);
            c11 = Vector.FusedMultiplyAdd(x, b1, c11);
            x = new Vector<float>(a[2]);
            c20 = Vector.FusedMultiplyAdd(x, b0, c20);
            c21 = Vector.FusedMultiplyAdd(x, b1, c21);
            x = new Vector<float>(a[3]);
            c30 = Vector.FusedMultiplyAdd(x, b0, c30);
            c31 = Vector.FusedMultiplyAdd(x, b1, c31);
            x = new Vector<float>(a[4]);
            c40 = Vector.FusedMultiplyAdd(x, b0, c40);
            c41 = Vector.FusedMultiplyAdd(x, b1, c41);
            x = new Vector<float>(a[5]);
            c50 = Vector.FusedMultiplyAdd(x, b0, c50);
            c51 = Vector.FusedMultiplyAdd(x, b1, c51);
        }
        (t[0], t[1], t[2], t[3], t[4], t[5]) = (c00, c01, c10, c11, c20, c21);
        (t[6], t[7], t[8], t[9], t[10], t[11]) = (c30, c31, c40, c41, c50, c51);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    internal static void Avx2(int k, float* a, float* b, int* offsets, float* tile, int rows, int columns, bool adds)
    {
        Vector256<float> c00 = default, c01 = default, c10 = default, c11 = default, c20 = default, c21 = default;
        Vector256<float> c30 = default, c31 = default, c40 = default, c41 = default, c50 = default, c51 = default;
        var t = (Vector256<float>*)tile;
        if (adds)
        {
            (c00, c01, c10, c11, c20, c21, c30, c31) = (t[0], t[1], t[2], t[3], t[4], t[5], t[6], t[7]);
            (c40, c41, c50, c51) = (t[8], t[9], t[10], t[11]);
        }
        for (int p = 0; p < k; p++, a += LeftPanel256)
        {
            float* y = b + offsets[p];
            Vector256<float> b0 = Vector256.Load(y), b1 = Vector256.Load(y + 8);
            var x = Vector256.Create(a[0]);
            c00 = Fma.MultiplyAdd(x, b0, c00);
            c01 = Fma.MultiplyAdd(x, b1, c01);
            x = Vector256.Create(a[1]);
            c10 = Fma.MultiplyAdd(x, b0, c10);
            c11 = Fma.MultiplyAdd(x, b1, c11);
            x = Vector256.Create(a[2]);
            c20 = Fma.MultiplyAdd(x, b0, c20);
            c21 = Fma.MultiplyAdd(x, b1, c21);
            x = Vector256.Create(a[3]);
            c30 = Fma.MultiplyAdd(x, b0, c30);
            c31 = Fma.MultiplyAdd(x, b1, c31);
            x = Vector256.Create(a[4]);
            c40 = Fma.MultiplyAdd(x, b0, c40);
            c41 = Fma.MultiplyAdd(x, b1, c41);
            x = Vector256.Create(a[5]);
            c50 = Fma.MultiplyAdd(x, b0, c50);
            c51 = Fma.MultiplyAdd(x, b1, c51);
        }
        (t[0], t[1], t[2], t[3], t[4], t[5]) = (c00, c01, c10, c11, c20, c21);
        (t[6], t[7], t[8], t[9], t[10], t[11]) = (c30, c31, c40, c41, c50, c51);
    }

    /// <summary>Few rows take small kernels on a part of the panel, so that a vector times a matrix costs no twelve rows.</summary>
    internal static void Avx512(int k, float* a, float* b, int* offsets, float* tile, int rows, int columns, bool adds)
    {
        if (rows > 8)
        {
            if (columns > MostNarrowColumns)
            {
                Rows12(k, a, b, offsets, tile, adds);
                return;
            }
            Rows12Narrow(k, a, b, offsets, tile, adds);
            for (int column = 16; column < columns; column++) Rows12Column(k, a, b + column, offsets, tile + column, adds);
            return;
        }
        if (rows == 1)
        {
            Rows1(k, a, b, offsets, tile, adds);
            return;
        }
        Rows4(k, a, b, offsets, tile, adds);
        if (rows > 4) Rows4(k, a + 4, b, offsets, tile + 4 * 32, adds);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Rows1(int k, float* a, float* b, int* offsets, float* tile, bool adds)
    {
        Vector512<float> c0 = default, c1 = default, d0 = default, d1 = default;
        if (adds) (c0, c1) = (Vector512.Load(tile), Vector512.Load(tile + 16));
        int p = 0;
        // Two sums a column hide the latency of the addition.
        for (; p + 1 < k; p += 2, a += 2 * LeftPanel512)
        {
            float* y = b + offsets[p], z = b + offsets[p + 1];
            var x = Vector512.Create(a[0]);
            c0 = Avx512F.FusedMultiplyAdd(x, Vector512.Load(y), c0);
            c1 = Avx512F.FusedMultiplyAdd(x, Vector512.Load(y + 16), c1);
            x = Vector512.Create(a[LeftPanel512]);
            d0 = Avx512F.FusedMultiplyAdd(x, Vector512.Load(z), d0);
            d1 = Avx512F.FusedMultiplyAdd(x, Vector512.Load(z + 16), d1);
        }
        if (p < k)
        {
            float* y = b + offsets[p];
            var x = Vector512.Create(a[0]);
            c0 = Avx512F.FusedMultiplyAdd(x, Vector512.Load(y), c0);
            c1 = Avx512F.FusedMultiplyAdd(x, Vector512.Load(y + 16), c1);
        }
        (c0 + d0).Store(tile);
        (c1 + d1).Store(tile + 16);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Rows4(int k, float* a, float* b, int* offsets, float* tile, bool adds)
    {
        Vector512<float> c00 = default, c01 = default, c10 = default, c11 = default, c20 = default, c21 = default, c30 = default, c31 = default;
        var t = (Vector512<float>*)tile;
        if (adds)
        {
            (c00, c01, c10, c11, c20, c21, c30, c31) = (t[0], t[1], t[2], t[3], t[4], t[5], t[6], t[7]);
        }
        for (int p = 0; p < k; p++, a += LeftPanel512)
        {
            float* y = b + offsets[p];
            Vector512<float> b0 = Vector512.Load(y), b1 = Vector512.Load(y + 16);
            var x = Vector512.Create(a[0]);
            c00 = Avx512F.FusedMultiplyAdd(x, b0, c00);
            c01 = Avx512F.FusedMultiplyAdd(x, b1, c01);
            x = Vector512.Create(a[1]);
            c10 = Avx512F.FusedMultiplyAdd(x, b0, c10);
            c11 = Avx512F.FusedMultiplyAdd(x, b1, c11);
            x = Vector512.Create(a[2]);
            c20 = Avx512F.FusedMultiplyAdd(x, b0, c20);
            c21 = Avx512F.FusedMultiplyAdd(x, b1, c21);
            x = Vector512.Create(a[3]);
            c30 = Avx512F.FusedMultiplyAdd(x, b0, c30);
            c31 = Avx512F.FusedMultiplyAdd(x, b1, c31);
        }
        (t[0], t[1], t[2], t[3], t[4], t[5], t[6], t[7]) = (c00, c01, c10, c11, c20, c21, c30, c31);
    }

    /// <summary>One vector of columns: the last tile of a plane is often half empty.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Rows12Narrow(int k, float* a, float* b, int* offsets, float* tile, bool adds)
    {
        Vector512<float> c0 = default, c1 = default, c2 = default, c3 = default, c4 = default, c5 = default;
        Vector512<float> c6 = default, c7 = default, c8 = default, c9 = default, ca = default, cb = default;
        var t = (Vector512<float>*)tile;
        if (adds)
        {
            (c0, c1, c2, c3, c4, c5) = (t[0], t[2], t[4], t[6], t[8], t[10]);
            (c6, c7, c8, c9, ca, cb) = (t[12], t[14], t[16], t[18], t[20], t[22]);
        }
        for (int p = 0; p < k; p++, a += LeftPanel512)
        {
            var y = Vector512.Load(b + offsets[p]);
            c0 = Avx512F.FusedMultiplyAdd(Vector512.Create(a[0]), y, c0);
            c1 = Avx512F.FusedMultiplyAdd(Vector512.Create(a[1]), y, c1);
            c2 = Avx512F.FusedMultiplyAdd(Vector512.Create(a[2]), y, c2);
            c3 = Avx512F.FusedMultiplyAdd(Vector512.Create(a[3]), y, c3);
            c4 = Avx512F.FusedMultiplyAdd(Vector512.Create(a[4]), y, c4);
            c5 = Avx512F.FusedMultiplyAdd(Vector512.Create(a[5]), y, c5);
            c6 = Avx512F.FusedMultiplyAdd(Vector512.Create(a[6]), y, c6);
            c7 = Avx512F.FusedMultiplyAdd(Vector512.Create(a[7]), y, c7);
            c8 = Avx512F.FusedMultiplyAdd(Vector512.Create(a[8]), y, c8);
            c9 = Avx512F.FusedMultiplyAdd(Vector512.Create(a[9]), y, c9);
            ca = Avx512F.FusedMultiplyAdd(Vector512.Create(a[10]), y, ca);
            cb = Avx512F.FusedMultiplyAdd(Vector512.Create(a[11]), y, cb);
        }
        (t[0], t[2], t[4], t[6], t[8], t[10]) = (c0, c1, c2, c3, c4, c5);
        (t[12], t[14], t[16], t[18], t[20], t[22]) = (c6, c7, c8, c9, ca, cb);
    }

    /// <summary>One column: the rows of the panel are the lanes. Four sums hide the latency of the addition.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Rows12Column(int k, float* a, float* b, int* offsets, float* tile, bool adds)
    {
        // 12 of 16 lanes: 8 and 4, so that nothing is read behind the panel.
        Vector256<float> c0 = default, c1 = default;
        Vector128<float> d0 = default, d1 = default;
        int p = 0;
        for (; p + 1 < k; p += 2, a += 2 * LeftPanel512)
        {
            float x = b[offsets[p]], y = b[offsets[p + 1]];
            c0 = Fma.MultiplyAdd(Vector256.Load(a), Vector256.Create(x), c0);
            d0 = Fma.MultiplyAdd(Vector128.Load(a + 8), Vector128.Create(x), d0);
            c1 = Fma.MultiplyAdd(Vector256.Load(a + LeftPanel512), Vector256.Create(y), c1);
            d1 = Fma.MultiplyAdd(Vector128.Load(a + LeftPanel512 + 8), Vector128.Create(y), d1);
        }
        if (p < k)
        {
            c0 = Fma.MultiplyAdd(Vector256.Load(a), Vector256.Create(b[offsets[p]]), c0);
            d0 = Fma.MultiplyAdd(Vector128.Load(a + 8), Vector128.Create(b[offsets[p]]), d0);
        }
        c0 += c1;
        d0 += d1;
        for (int r = 0; r < LeftPanel512; r++, tile += 32) *tile = (adds ? *tile : 0) + (r < 8 ? c0[r] : d0[r - 8]);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Rows12(int k, float* a, float* b, int* offsets, float* tile, bool adds)
    {
        Vector512<float> c00 = default, c01 = default, c10 = default, c11 = default, c20 = default, c21 = default;
        Vector512<float> c30 = default, c31 = default, c40 = default, c41 = default, c50 = default, c51 = default;
        Vector512<float> c60 = default, c61 = default, c70 = default, c71 = default, c80 = default, c81 = default;
        Vector512<float> c90 = default, c91 = default, ca0 = default, ca1 = default, cb0 = default, cb1 = default;
        var t = (Vector512<float>*)tile;
        if (adds)
        {
            (c00, c01, c10, c11, c20, c21, c30, c31) = (t[0], t[1], t[2], t[3], t[4], t[5], t[6], t[7]);
            (c40, c41, c50, c51, c60, c61, c70, c71) = (t[8], t[9], t[10], t[11], t[12], t[13], t[14], t[15]);
            (c80, c81, c90, c91, ca0, ca1, cb0, cb1) = (t[16], t[17], t[18], t[19], t[20], t[21], t[22], t[23]);
        }
        for (int p = 0; p < k; p++, a += LeftPanel512)
        {
            float* y = b + offsets[p];
            Vector512<float> b0 = Vector512.Load(y), b1 = Vector512.Load(y + 16);
            var x = Vector512.Create(a[0]);
            c00 = Avx512F.FusedMultiplyAdd(x, b0, c00);
            c01 = Avx512F.FusedMultiplyAdd(x, b1, c01);
            x = Vector512.Create(a[1]);
            c10 = Avx512F.FusedMultiplyAdd(x, b0, c10);
            c11 = Avx512F.FusedMultiplyAdd(x, b1, c11);
            x = Vector512.Create(a[2]);
            c20 = Avx512F.FusedMultiplyAdd(x, b0, c20);
            c21 = Avx512F.FusedMultiplyAdd(x, b1, c21);
            x = Vector512.Create(a[3]);
            c30 = Avx512F.FusedMultiplyAdd(x, b0, c30);
            c31 = Avx512F.FusedMultiplyAdd(x, b1, c31);
            x = Vector512.Create(a[4]);
            c40 = Avx512F.FusedMultiplyAdd(x, b0, c40);
            c41 = Avx512F.FusedMultiplyAdd(x, b1, c41);
            x = Vector512.Create(a[5]);
            c50 = Avx512F.FusedMultiplyAdd(x, b0, c50);
            c51 = Avx512F.FusedMultiplyAdd(x, b1, c51);
            x = Vector512.Create(a[6]);
            c60 = Avx512F.FusedMultiplyAdd(x, b0, c60);
            c61 = Avx512F.FusedMultiplyAdd(x, b1, c61);
            x = Vector512.Create(a[7]);
            c70 = Avx512F.FusedMultiplyAdd(x, b0, c70);
            c71 = Avx512F.FusedMultiplyAdd(x, b1, c71);
            x = Vector512.Create(a[8]);
            c80 = Avx512F.FusedMultiplyAdd(x, b0, c80);
            c81 = Avx512F.FusedMultiplyAdd(x, b1, c81);
            x = Vector512.Create(a[9]);
            c90 = Avx512F.FusedMultiplyAdd(x, b0, c90);
            c91 = Avx512F.FusedMultiplyAdd(x, b1, c91);
            x = Vector512.Create(a[10]);
            ca0 = Avx512F.FusedMultiplyAdd(x, b0, ca0);
            ca1 = Avx512F.FusedMultiplyAdd(x, b1, ca1);
            x = Vector512.Create(a[11]);
            cb0 = Avx512F.FusedMultiplyAdd(x, b0, cb0);
            cb1 = Avx512F.FusedMultiplyAdd(x, b1, cb1);
        }
        (t[0], t[1], t[2], t[3], t[4], t[5], t[6], t[7]) = (c00, c01, c10, c11, c20, c21, c30, c31);
        (t[8], t[9], t[10], t[11], t[12], t[13], t[14], t[15]) = (c40, c41, c50, c51, c60, c61, c70, c71);
        (t[16], t[17], t[18], t[19], t[20], t[21], t[22], t[23]) = (c80, c81, c90, c91, ca0, ca1, cb0, cb1);
    }
}
