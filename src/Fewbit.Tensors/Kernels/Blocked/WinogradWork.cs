using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Fewbit.Tensors.Kernels;

/// <summary>One convolution by Winograd's transforms: the two steps that its chunks consist of.</summary>
internal readonly unsafe struct WinogradWork<TTile>(Conv2DShape shape, float* x, float* packed, BlockedEpilogue epilogue, float* y) where TTile : struct, IWinogradTile
{
    private const int Lanes = ChannelBlocks.Width;
    private readonly int _outHeight = shape.OutHeight, _outWidth = shape.OutWidth;

    public readonly WinogradTiling<TTile> Tiling = new(shape);

    /// <summary>Transforms the inputs of some tiles and blocks of channels.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public void Transform(int firstTile, int tiles, int firstBlock, int endBlock, float* inputs)
    {
        int side = TTile.Outputs + 2, pointStep = Tiling.PointStep;
        float* copy = stackalloc float[(6 * 6 + 6 + 1) * Lanes];
        copy = (float*)(((nint)copy + 63) & ~63);
        float* zeros = copy + 6 * 6 * Lanes;
        new Span<float>(zeros, 6 * Lanes).Clear();
        float** rows = stackalloc float*[6];
        for (int block = firstBlock; block < endBlock; block++)
        {
            (int image, int row, int column) = Locate(firstTile);
            for (int tile = 0; tile < tiles; tile++)
            {
                int top = row * TTile.Outputs - shape.PadTop, left = column * TTile.Outputs - shape.PadLeft;
                float* plane = x + ((long)image * Tiling.InBlocks + block) * shape.InPlane * Lanes;
                for (int i = 0; i < side; i++) rows[i] = (uint)(top + i) < (uint)shape.InHeight ? plane + ((top + i) * shape.InWidth + left) * Lanes : zeros;
                if (left < 0 || left + side > shape.InWidth) CopyEdge(rows, side, left, copy, zeros);
                TTile.Input(rows, inputs + ((long)block * tiles + tile) * Lanes, pointStep);
                Advance(ref image, ref row, ref column);
            }
        }
    }

    /// <summary>Multiplies the transformed inputs of some tiles with the weights of some pairs of blocks, and writes the outputs.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public void Multiply(int firstTile, int tiles, int firstPair, int endPair, float* inputs, float* products)
    {
        for (int pair = firstPair; pair < endPair; pair++)
        {
            int block = pair * WinogradProducts.MaxBlocks, blocks = Math.Min(WinogradProducts.MaxBlocks, Tiling.OutBlocks - block);
            Multiply(block, blocks, tiles, inputs, products);
            for (int i = 0; i < blocks; i++) Store(firstTile, tiles, block + i, products + (long)i * tiles * WinogradTiling<TTile>.Points * Lanes);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void Multiply(int block, int blocks, int tiles, float* inputs, float* products)
    {
        int points = WinogradTiling<TTile>.Points;
        int runs = (tiles + WinogradProducts.MaxTiles - 1) / WinogradProducts.MaxTiles;
        long pointWeights = (long)Tiling.InBlocks * Lanes * blocks * Lanes;
        var operands = new WinogradProducts.Operands
        {
            Blocks = Tiling.InBlocks,
            InputStep = tiles * Lanes,
            TileStep = points * Lanes,
            BlockStep = tiles * points * Lanes,
            Weights = packed + (long)block * points * Tiling.InBlocks * Lanes * Lanes,
        };
        for (int point = 0; point < points; point++, operands.Weights += pointWeights)
        {
            for (int run = 0; run < runs; run++)
            {
                int first = tiles * run / runs, end = tiles * (run + 1) / runs;
                operands.Inputs = inputs + (long)point * Tiling.PointStep + first * Lanes;
                operands.Products = products + (first * points + point) * Lanes;
                WinogradProducts.Run(end - first, blocks, operands);
            }
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void Store(int firstTile, int tiles, int block, float* products)
    {
        (int image, int row, int column) = Locate(firstTile);
        var to = new BlockedSquare { RowStep = _outWidth * Lanes, Activation = epilogue.Activation };
        if (epilogue.Bias != null) to.Bias = Vector512.Load(epilogue.Bias + block * Lanes);
        for (int tile = 0; tile < tiles; tile++, products += WinogradTiling<TTile>.Points * Lanes)
        {
            int top = row * TTile.Outputs, left = column * TTile.Outputs;
            long at = ((((long)image * Tiling.OutBlocks + block) * _outHeight + top) * _outWidth + left) * Lanes;
            to.Y = y + at;
            to.Residual = epilogue.Residual == null ? null : epilogue.Residual + at;
            (to.Height, to.Width) = (_outHeight - top, _outWidth - left);
            TTile.Output(products, to);
            Advance(ref image, ref row, ref column);
        }
    }

    /// <summary>Columns outside the plane read as zeros: the tile is copied.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void CopyEdge(float** rows, int side, int left, float* copy, float* zeros)
    {
        for (int i = 0; i < side; i++, copy += side * Lanes)
        {
            bool isInside = rows[i] != zeros;
            for (int j = 0; j < side; j++)
            {
                Vector512<float> value = isInside && (uint)(left + j) < (uint)shape.InWidth ? Vector512.Load(rows[i] + j * Lanes) : default;
                value.Store(copy + j * Lanes);
            }
            rows[i] = copy;
        }
    }

    private (int Image, int Row, int Column) Locate(int tile) => (tile / (Tiling.Rows * Tiling.Columns), tile / Tiling.Columns % Tiling.Rows, tile % Tiling.Columns);

    private void Advance(ref int image, ref int row, ref int column)
    {
        if (++column < Tiling.Columns) return;
        column = 0;
        if (++row < Tiling.Rows) return;
        row = 0;
        image++;
    }
}
