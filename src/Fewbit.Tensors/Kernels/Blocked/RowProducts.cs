using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace Fewbit.Tensors.Kernels;

/// <summary>sums[r][k] += x[row of the kernel r][pixel + k] * y[pixel]: some kernel rows of one plane by a vector of 16 outputs, over a rectangle of pixels. Steps in floats.</summary>
internal unsafe struct RowProducts
{
    /// <summary>Kernel rows and columns that one call takes at most.</summary>
    public const int MostRows = 3, MostColumns = 8;

    /// <summary>What the first pixel reads of a padded plane, and its vector of y.</summary>
    public float* X, Y;

    /// <summary>In x: from column to column, row to row, kernel row to kernel row. In y: from row to row.</summary>
    public nint XColumn, XRow, XKernelRow, YRow;

    public int Columns, Rows;

    /// <summary>Vectors, one after the other in a kernel row; <see cref="SumRow"/> from kernel row to kernel row.</summary>
    public float* Sums;
    public nint SumRow;

    private const int Lanes = ChannelBlocks.Width;

    private static readonly delegate*<in RowProducts, void>[] Kernels =
    [
        &Add<N1, N1>, &Add<N1, N2>, &Add<N1, N3>, &Add<N1, N4>, &Add<N1, N5>, &Add<N1, N6>, &Add<N1, N7>, &Add<N1, N8>,
        &Add<N2, N1>, &Add<N2, N2>, &Add<N2, N3>, &Add<N2, N4>, &Add<N2, N5>, &Add<N2, N6>, &Add<N2, N7>, &Add<N2, N8>,
        &Add<N3, N1>, &Add<N3, N2>, &Add<N3, N3>, &Add<N3, N4>, &Add<N3, N5>, &Add<N3, N6>, &Add<N3, N7>, &Add<N3, N8>,
    ];

    /// <summary>Adds all pixels for so many kernel rows and columns.</summary>
    public readonly void Add(int rows, int columns) => Kernels[(rows - 1) * MostColumns + columns - 1](this);

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Add<TRows, TColumns>(in RowProducts p) where TRows : ICount where TColumns : ICount
    {
        Vector512<float> s00 = default, s01 = default, s02 = default, s03 = default, s04 = default, s05 = default, s06 = default, s07 = default;
        Vector512<float> s10 = default, s11 = default, s12 = default, s13 = default, s14 = default, s15 = default, s16 = default, s17 = default;
        Vector512<float> s20 = default, s21 = default, s22 = default, s23 = default, s24 = default, s25 = default, s26 = default, s27 = default;
        float* sums0 = p.Sums;
        float* sums1 = p.Sums + p.SumRow;
        float* sums2 = p.Sums + 2 * p.SumRow;
        s00 = Vector512.Load(sums0);
        if (TColumns.Value > 1) s01 = Vector512.Load(sums0 + Lanes);
        if (TColumns.Value > 2) s02 = Vector512.Load(sums0 + 2 * Lanes);
        if (TColumns.Value > 3) s03 = Vector512.Load(sums0 + 3 * Lanes);
        if (TColumns.Value > 4) s04 = Vector512.Load(sums0 + 4 * Lanes);
        if (TColumns.Value > 5) s05 = Vector512.Load(sums0 + 5 * Lanes);
        if (TColumns.Value > 6) s06 = Vector512.Load(sums0 + 6 * Lanes);
        if (TColumns.Value > 7) s07 = Vector512.Load(sums0 + 7 * Lanes);
        if (TRows.Value > 1) s10 = Vector512.Load(sums1);
        if (TRows.Value > 1 && TColumns.Value > 1) s11 = Vector512.Load(sums1 + Lanes);
        if (TRows.Value > 1 && TColumns.Value > 2) s12 = Vector512.Load(sums1 + 2 * Lanes);
        if (TRows.Value > 1 && TColumns.Value > 3) s13 = Vector512.Load(sums1 + 3 * Lanes);
        if (TRows.Value > 1 && TColumns.Value > 4) s14 = Vector512.Load(sums1 + 4 * Lanes);
        if (TRows.Value > 1 && TColumns.Value > 5) s15 = Vector512.Load(sums1 + 5 * Lanes);
        if (TRows.Value > 1 && TColumns.Value > 6) s16 = Vector512.Load(sums1 + 6 * Lanes);
        if (TRows.Value > 1 && TColumns.Value > 7) s17 = Vector512.Load(sums1 + 7 * Lanes);
        if (TRows.Value > 2) s20 = Vector512.Load(sums2);
        if (TRows.Value > 2 && TColumns.Value > 1) s21 = Vector512.Load(sums2 + Lanes);
        if (TRows.Value > 2 && TColumns.Value > 2) s22 = Vector512.Load(sums2 + 2 * Lanes);
        if (TRows.Value > 2 && TColumns.Value > 3) s23 = Vector512.Load(sums2 + 3 * Lanes);
        if (TRows.Value > 2 && TColumns.Value > 4) s24 = Vector512.Load(sums2 + 4 * Lanes);
        if (TRows.Value > 2 && TColumns.Value > 5) s25 = Vector512.Load(sums2 + 5 * Lanes);
        if (TRows.Value > 2 && TColumns.Value > 6) s26 = Vector512.Load(sums2 + 6 * Lanes);
        if (TRows.Value > 2 && TColumns.Value > 7) s27 = Vector512.Load(sums2 + 7 * Lanes);
        nint column = p.XColumn, kernelRow = p.XKernelRow, width = (nint)p.Columns * Lanes;
        float* xRow = p.X, yRow = p.Y;
        for (int row = p.Rows; row > 0; row--, xRow += p.XRow, yRow += p.YRow)
        {
            float* x = xRow, y = yRow;
            for (float* end = y + width; y < end; y += Lanes, x += column)
            {
                Vector512<float> v = Vector512.Load(y);
                float* x1 = x + kernelRow;
                float* x2 = x + 2 * kernelRow;
                s00 = Avx512F.FusedMultiplyAdd(v, Vector512.Create(x[0]), s00);
                if (TColumns.Value > 1) s01 = Avx512F.FusedMultiplyAdd(v, Vector512.Create(x[1]), s01);
                if (TColumns.Value > 2) s02 = Avx512F.FusedMultiplyAdd(v, Vector512.Create(x[2]), s02);
                if (TColumns.Value > 3) s03 = Avx512F.FusedMultiplyAdd(v, Vector512.Create(x[3]), s03);
                if (TColumns.Value > 4) s04 = Avx512F.FusedMultiplyAdd(v, Vector512.Create(x[4]), s04);
                if (TColumns.Value > 5) s05 = Avx512F.FusedMultiplyAdd(v, Vector512.Create(x[5]), s05);
                if (TColumns.Value > 6) s06 = Avx512F.FusedMultiplyAdd(v, Vector512.Create(x[6]), s06);
                if (TColumns.Value > 7) s07 = Avx512F.FusedMultiplyAdd(v, Vector512.Create(x[7]), s07);
                if (TRows.Value > 1) s10 = Avx512F.FusedMultiplyAdd(v, Vector512.Create(x1[0]), s10);
                if (TRows.Value > 1 && TColumns.Value > 1) s11 = Avx512F.FusedMultiplyAdd(v, Vector512.Create(x1[1]), s11);
                if (TRows.Value > 1 && TColumns.Value > 2) s12 = Avx512F.FusedMultiplyAdd(v, Vector512.Create(x1[2]), s12);
                if (TRows.Value > 1 && TColumns.Value > 3) s13 = Avx512F.FusedMultiplyAdd(v, Vector512.Create(x1[3]), s13);
                if (TRows.Value > 1 && TColumns.Value > 4) s14 = Avx512F.FusedMultiplyAdd(v, Vector512.Create(x1[4]), s14);
                if (TRows.Value > 1 && TColumns.Value > 5) s15 = Avx512F.FusedMultiplyAdd(v, Vector512.Create(x1[5]), s15);
                if (TRows.Value > 1 && TColumns.Value > 6) s16 = Avx512F.FusedMultiplyAdd(v, Vector512.Create(x1[6]), s16);
                if (TRows.Value > 1 && TColumns.Value > 7) s17 = Avx512F.FusedMultiplyAdd(v, Vector512.Create(x1[7]), s17);
                if (TRows.Value > 2) s20 = Avx512F.FusedMultiplyAdd(v, Vector512.Create(x2[0]), s20);
                if (TRows.Value > 2 && TColumns.Value > 1) s21 = Avx512F.FusedMultiplyAdd(v, Vector512.Create(x2[1]), s21);
                if (TRows.Value > 2 && TColumns.Value > 2) s22 = Avx512F.FusedMultiplyAdd(v, Vector512.Create(x2[2]), s22);
                if (TRows.Value > 2 && TColumns.Value > 3) s23 = Avx512F.FusedMultiplyAdd(v, Vector512.Create(x2[3]), s23);
                if (TRows.Value > 2 && TColumns.Value > 4) s24 = Avx512F.FusedMultiplyAdd(v, Vector512.Create(x2[4]), s24);
                if (TRows.Value > 2 && TColumns.Value > 5) s25 = Avx512F.FusedMultiplyAdd(v, Vector512.Create(x2[5]), s25);
                if (TRows.Value > 2 && TColumns.Value > 6) s26 = Avx512F.FusedMultiplyAdd(v, Vector512.Create(x2[6]), s26);
                if (TRows.Value > 2 && TColumns.Value > 7) s27 = Avx512F.FusedMultiplyAdd(v, Vector512.Create(x2[7]), s27);
            }
        }
        s00.Store(sums0);
        if (TColumns.Value > 1) s01.Store(sums0 + Lanes);
        if (TColumns.Value > 2) s02.Store(sums0 + 2 * Lanes);
        if (TColumns.Value > 3) s03.Store(sums0 + 3 * Lanes);
        if (TColumns.Value > 4) s04.Store(sums0 + 4 * Lanes);
        if (TColumns.Value > 5) s05.Store(sums0 + 5 * Lanes);
        if (TColumns.Value > 6) s06.Store(sums0 + 6 * Lanes);
        if (TColumns.Value > 7) s07.Store(sums0 + 7 * Lanes);
        if (TRows.Value > 1) s10.Store(sums1);
        if (TRows.Value > 1 && TColumns.Value > 1) s11.Store(sums1 + Lanes);
        if (TRows.Value > 1 && TColumns.Value > 2) s12.Store(sums1 + 2 * Lanes);
        if (TRows.Value > 1 && TColumns.Value > 3) s13.Store(sums1 + 3 * Lanes);
        if (TRows.Value > 1 && TColumns.Value > 4) s14.Store(sums1 + 4 * Lanes);
        if (TRows.Value > 1 && TColumns.Value > 5) s15.Store(sums1 + 5 * Lanes);
        if (TRows.Value > 1 && TColumns.Value > 6) s16.Store(sums1 + 6 * Lanes);
        if (TRows.Value > 1 && TColumns.Value > 7) s17.Store(sums1 + 7 * Lanes);
        if (TRows.Value > 2) s20.Store(sums2);
        if (TRows.Value > 2 && TColumns.Value > 1) s21.Store(sums2 + Lanes);
        if (TRows.Value > 2 && TColumns.Value > 2) s22.Store(sums2 + 2 * Lanes);
        if (TRows.Value > 2 && TColumns.Value > 3) s23.Store(sums2 + 3 * Lanes);
        if (TRows.Value > 2 && TColumns.Value > 4) s24.Store(sums2 + 4 * Lanes);
        if (TRows.Value > 2 && TColumns.Value > 5) s25.Store(sums2 + 5 * Lanes);
        if (TRows.Value > 2 && TColumns.Value > 6) s26.Store(sums2 + 6 * Lanes);
        if (TRows.Value > 2 && TColumns.Value > 7) s27.Store(sums2 + 7 * Lanes);
    }
}
