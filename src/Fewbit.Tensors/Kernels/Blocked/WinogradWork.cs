using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Fewbit.Tensors.Kernels;

/// <summary>One convolution by Winograd's transforms: the two steps that its chunks consist of.</summary>
internal readonly unsafe struct WinogradWork<TTile>(Conv2DShape shape, float* x, float* packed, BlockedEpilogue epilogue, float* y) where TTile : struct, IWinogradTile
{
    private const int Lanes = ChannelBlocks.Width;
    private readonly int _outHeight = shape.OutHeight, _outWidth = shape.OutWidth;

    public readonly WinogradTiling<TTile> Tiling = new(shape);

    private readonly WinogradSquares _squares = WinogradTiling<TTile>.Inputs(shape, x);

    /// <summary>Transforms the inputs of some tiles and blocks of channels.</summary>
    public void Transform(int firstTile, int tiles, int firstBlock, int endBlock, float* inputs) =>
        _squares.Transform<WinogradInput<TTile>>(firstTile, tiles, firstBlock, endBlock, inputs + (long)firstBlock * tiles * Lanes, Tiling.PointStep);

    /// <summary>Multiplies the transformed inputs of some tiles with the weights of some pairs of blocks, and writes the outputs.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public void Multiply(int firstTile, int tiles, int firstPair, int endPair, float* inputs, float* products)
    {
        for (int pair = firstPair; pair < endPair; pair++)
        {
            int block = pair * WinogradProducts.MaxBlocks, blocks = Math.Min(WinogradProducts.MaxBlocks, Tiling.OutBlocks - block);
            WinogradProducts.RunAll(WinogradTiling<TTile>.Points, Tiling.InBlocks, blocks, tiles, inputs, Tiling.PointStep, packed + (long)block * WinogradTiling<TTile>.Points * Tiling.InBlocks * Lanes * Lanes, products, adds: false);
            for (int i = 0; i < blocks; i++) Store(firstTile, tiles, block + i, products + (long)i * tiles * WinogradTiling<TTile>.Points * Lanes);
        }
    }

    /// <summary>Transforms the products of a block of outputs and writes them.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public void Store(int firstTile, int tiles, int block, float* products)
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
