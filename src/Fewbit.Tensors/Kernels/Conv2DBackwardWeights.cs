using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;
using Fewbit.Tensors.Threading;

namespace Fewbit.Tensors.Kernels;

/// <summary>The adjoint of a convolution in its weights: dw[m, c, tap] = sum over images and pixels of dy[m, pixel] * x[c, pixel shifted by the tap].</summary>
/// <remarks>
/// In padded planes (see <see cref="PlaneConv2D"/>) both factors are contiguous, with zeros in dy behind the ends of rows: no matrix is packed, a tile of
/// 4 output channels by 6 taps keeps its sums in registers over all pixels and images. The order of additions follows from the shape.
/// </remarks>
internal static unsafe class Conv2DBackwardWeights
{
    private const int TileRows = 4, TileColumns = 6, Lanes = 16;
    private const long BlockBytes = 8 << 20; // images are taken in blocks, so that their copies stay in the last cache

    /// <summary>Scratch that <see cref="Run"/> needs, aligned to 64.</summary>
    public static long ScratchBytes(in Conv2DShape shape)
    {
        if (shape.IsEmpty) return 0;
        var copies = new Copies(shape);
        return copies.OffsetBytes + copies.BlockImages * copies.ImageFloats * sizeof(float) + Lanes * 4 * sizeof(float);
    }

    /// <param name="shape">The forward convolution.</param>
    /// <param name="x">[N, C, H, W].</param>
    /// <param name="dy">[N, M, OutHeight, OutWidth].</param>
    /// <param name="dw">[M, C / groups, kH, kW]; overwritten.</param>
    /// <param name="scratch"><see cref="ScratchBytes"/> bytes.</param>
    public static void Run(in Conv2DShape shape, float* x, float* dy, float* dw, void* scratch)
    {
        new Span<float>(dw, shape.OutChannels * shape.Inner).Clear();
        if (shape.IsEmpty) return;
        var copies = new Copies(shape);
        int* offsets = (int*)scratch;
        copies.FillOffsets(offsets);
        float* block = (float*)((byte*)scratch + copies.OffsetBytes);
        new Span<float>(block + copies.BlockImages * copies.ImageFloats, Lanes * 4).Clear();
        for (int first = 0; first < shape.Batch; first += copies.BlockImages)
        {
            int images = Math.Min(copies.BlockImages, shape.Batch - first);
            var copy = new CopyJob(shape, copies, x, dy, first, block);
            Workers.Run(images * (shape.InChannels + shape.OutChannels), ref copy);
            var multiply = new TileJob(shape, copies, block, offsets, images, dw);
            Workers.Run(multiply.Chunks, ref multiply);
        }
    }

    /// <summary>By its definition, sums in double precision.</summary>
    public static void Reference(in Conv2DShape shape, float* x, float* dy, float* dw)
    {
        double[] sums = new double[(long)shape.OutChannels * shape.Inner];
        Conv2DTerms.ForEach(shape, (i, w, y) => sums[w] += (double)x[i] * dy[y]);
        for (int i = 0; i < sums.Length; i++) dw[i] = (float)sums[i];
    }

    /// <summary>Where the padded planes of x and dy of a block of images lie: per image the planes of x, then the rows of dy.</summary>
    private readonly struct Copies(Conv2DShape shape)
    {
        private readonly Conv2DShape _shape = shape;

        public DepthwiseConv2D.Phases Phases { get; } = new(shape);

        /// <summary>Floats of one channel of dy, whole vectors.</summary>
        public int Row => (Phases.Span + Lanes - 1) / Lanes * Lanes;

        public long OffsetBytes => (_shape.Inner + 15L) / 16 * 16 * sizeof(int);

        /// <summary>Floats of the planes of x; vectors read past the last one into dy, which is finite.</summary>
        public long PlaneFloats => ((long)_shape.InChannels * Phases.Elements + Lanes - 1) / Lanes * Lanes;

        public long ImageFloats => PlaneFloats + (long)_shape.OutChannels * Row;

        public int BlockImages => (int)Math.Clamp(BlockBytes / sizeof(float) / ImageFloats, 1, _shape.Batch);

        public void FillOffsets(int* offsets)
        {
            for (int c = 0, p = 0; c < _shape.GroupInChannels; c++)
                for (int tap = 0; tap < _shape.Taps; tap++, p++) offsets[p] = c * Phases.Elements + Phases.OffsetOf(tap);
        }
    }

    /// <summary>A chunk is one plane of x or one channel of dy.</summary>
    private readonly struct CopyJob(Conv2DShape shape, Copies copies, float* x, float* dy, int firstImage, float* block) : IJob
    {
        public void Run(int chunk)
        {
            int planes = shape.InChannels + shape.OutChannels, image = chunk / planes, plane = chunk % planes;
            float* to = block + image * copies.ImageFloats;
            if (plane < shape.InChannels)
            {
                to += (long)plane * copies.Phases.Elements;
                // Phases that no tap reads are multiplied by zeros behind the ends of rows: they must be finite.
                if (shape.StrideHeight > 1 || shape.StrideWidth > 1) new Span<float>(to, copies.Phases.Elements).Clear();
                float* end = x + (long)shape.Batch * shape.InChannels * shape.InPlane;
                copies.Phases.Copy(x + ((long)(firstImage + image) * shape.InChannels + plane) * shape.InPlane, end, to);
                if (plane == shape.InChannels - 1) new Span<float>(to + copies.Phases.Elements, (int)(copies.PlaneFloats - (long)shape.InChannels * copies.Phases.Elements)).Clear();
                return;
            }
            int m = plane - shape.InChannels, width = shape.OutWidth, height = shape.OutHeight, row = copies.Row;
            to += copies.PlaneFloats + (long)m * row;
            float* from = dy + ((long)(firstImage + image) * shape.OutChannels + m) * width * height;
            new Span<float>(to, row).Clear();
            for (int i = 0; i < height; i++) new ReadOnlySpan<float>(from + i * width, width).CopyTo(new Span<float>(to + i * copies.Phases.Width, width));
        }
    }

    /// <summary>A chunk is one tile of output channels and all taps.</summary>
    private readonly struct TileJob(Conv2DShape shape, Copies copies, float* block, int* offsets, int images, float* dw) : IJob
    {
        private int RowTiles => (shape.GroupOutChannels + TileRows - 1) / TileRows;

        private int ColumnTiles => (shape.Inner + TileColumns - 1) / TileColumns;

        // Columns are split too where rows are few.
        private int ColumnParts => Math.Clamp(16 / (RowTiles * shape.Groups), 1, ColumnTiles);

        public int Chunks => shape.Groups * RowTiles * ColumnParts;

        public void Run(int chunk)
        {
            int parts = ColumnParts, group = chunk / (RowTiles * parts), row = chunk / parts % RowTiles * TileRows, part = chunk % parts;
            int rows = Math.Min(TileRows, shape.GroupOutChannels - row), firstRow = group * shape.GroupOutChannels + row, inner = shape.Inner;
            float* sums = stackalloc float[TileRows * TileColumns];
            int* at = stackalloc int[TileColumns];
            float* planes = block + (long)group * shape.GroupInChannels * copies.Phases.Elements;
            float* errors = block + copies.PlaneFloats + (long)firstRow * copies.Row;
            for (int tile = ColumnTiles * part / parts; tile < ColumnTiles * (part + 1) / parts; tile++)
            {
                int column = tile * TileColumns, columns = Math.Min(TileColumns, inner - column);
                for (int i = 0; i < TileColumns; i++) at[i] = offsets[column + Math.Min(i, columns - 1)];
                Multiply(errors, planes, at, rows, columns, sums);
                for (int r = 0; r < rows; r++)
                    for (int c = 0; c < columns; c++) dw[(long)(firstRow + r) * inner + column + c] += sums[r * TileColumns + c];
            }
        }

        private void Multiply(float* errors, float* planes, int* at, int rows, int columns, float* sums)
        {
            if (rows > 1 && KernelPaths.Active >= KernelPath.Avx512)
            {
                Multiply512(errors, copies.Row, Math.Min(1, rows - 1), Math.Min(2, rows - 1), Math.Min(3, rows - 1), planes, at, images, copies.ImageFloats, sums);
                return;
            }
            for (int r = 0; r < rows; r++)
            {
                for (int c = 0; c < columns; c++)
                {
                    float sum = 0;
                    for (int i = 0; i < images; i++) sum += Gemv.Dot(errors + i * copies.ImageFloats + (long)r * copies.Row, planes + i * copies.ImageFloats + at[c], copies.Row);
                    sums[r * TileColumns + c] = sum;
                }
            }
        }
    }

    /// <summary>Rows that do not exist repeat the last one.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Multiply512(float* errors, int row, int r1, int r2, int r3, float* planes, int* at, int images, long imageFloats, float* sums)
    {
        Vector512<float> s00 = default, s01 = default, s02 = default, s03 = default, s04 = default, s05 = default;
        Vector512<float> s10 = default, s11 = default, s12 = default, s13 = default, s14 = default, s15 = default;
        Vector512<float> s20 = default, s21 = default, s22 = default, s23 = default, s24 = default, s25 = default;
        Vector512<float> s30 = default, s31 = default, s32 = default, s33 = default, s34 = default, s35 = default;
        for (int image = 0; image < images; image++, errors += imageFloats, planes += imageFloats)
        {
            float* e1 = errors + (long)r1 * row, e2 = errors + (long)r2 * row, e3 = errors + (long)r3 * row;
            float* p0 = planes + at[0], p1 = planes + at[1], p2 = planes + at[2], p3 = planes + at[3], p4 = planes + at[4], p5 = planes + at[5];
            for (int q = 0; q < row; q += Lanes)
            {
                Vector512<float> d0 = Vector512.Load(errors + q), d1 = Vector512.Load(e1 + q), d2 = Vector512.Load(e2 + q), d3 = Vector512.Load(e3 + q);
                Vector512<float> x = Vector512.Load(p0 + q);
                s00 = Avx512F.FusedMultiplyAdd(d0, x, s00);
                s10 = Avx512F.FusedMultiplyAdd(d1, x, s10);
                s20 = Avx512F.FusedMultiplyAdd(d2, x, s20);
                s30 = Avx512F.FusedMultiplyAdd(d3, x, s30);
                x = Vector512.Load(p1 + q);
                s01 = Avx512F.FusedMultiplyAdd(d0, x, s01);
                s11 = Avx512F.FusedMultiplyAdd(d1, x, s11);
                s21 = Avx512F.FusedMultiplyAdd(d2, x, s21);
                s31 = Avx512F.FusedMultiplyAdd(d3, x, s31);
                x = Vector512.Load(p2 + q);
                s02 = Avx512F.FusedMultiplyAdd(d0, x, s02);
                s12 = Avx512F.FusedMultiplyAdd(d1, x, s12);
                s22 = Avx512F.FusedMultiplyAdd(d2, x, s22);
                s32 = Avx512F.FusedMultiplyAdd(d3, x, s32);
                x = Vector512.Load(p3 + q);
                s03 = Avx512F.FusedMultiplyAdd(d0, x, s03);
                s13 = Avx512F.FusedMultiplyAdd(d1, x, s13);
                s23 = Avx512F.FusedMultiplyAdd(d2, x, s23);
                s33 = Avx512F.FusedMultiplyAdd(d3, x, s33);
                x = Vector512.Load(p4 + q);
                s04 = Avx512F.FusedMultiplyAdd(d0, x, s04);
                s14 = Avx512F.FusedMultiplyAdd(d1, x, s14);
                s24 = Avx512F.FusedMultiplyAdd(d2, x, s24);
                s34 = Avx512F.FusedMultiplyAdd(d3, x, s34);
                x = Vector512.Load(p5 + q);
                s05 = Avx512F.FusedMultiplyAdd(d0, x, s05);
                s15 = Avx512F.FusedMultiplyAdd(d1, x, s15);
                s25 = Avx512F.FusedMultiplyAdd(d2, x, s25);
                s35 = Avx512F.FusedMultiplyAdd(d3, x, s35);
            }
        }
        (sums[0], sums[1], sums[2], sums[3], sums[4], sums[5]) = (Vector512.Sum(s00), Vector512.Sum(s01), Vector512.Sum(s02), Vector512.Sum(s03), Vector512.Sum(s04), Vector512.Sum(s05));
        (sums[6], sums[7], sums[8], sums[9], sums[10], sums[11]) = (Vector512.Sum(s10), Vector512.Sum(s11), Vector512.Sum(s12), Vector512.Sum(s13), Vector512.Sum(s14), Vector512.Sum(s15));
        (sums[12], sums[13], sums[14], sums[15], sums[16], sums[17]) = (Vector512.Sum(s20), Vector512.Sum(s21), Vector512.Sum(s22), Vector512.Sum(s23), Vector512.Sum(s24), Vector512.Sum(s25));
        (sums[18], sums[19], sums[20], sums[21], sums[22], sums[23]) = (Vector512.Sum(s30), Vector512.Sum(s31), Vector512.Sum(s32), Vector512.Sum(s33), Vector512.Sum(s34), Vector512.Sum(s35));
    }
}
