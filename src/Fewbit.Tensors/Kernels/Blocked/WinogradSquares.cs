using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace Fewbit.Tensors.Kernels;

/// <summary>A transform of a square of vectors, given by its rows, to vectors <c>step</c> floats apart.</summary>
internal unsafe interface IWinogradTransform
{
    static abstract void Apply(float** rows, float* to, nint step);
}

/// <summary>Overlapping squares of the planes of [N, blocks, H, W, 16], numbered (image, row, column); what lies outside a plane reads as zeros.</summary>
/// <param name="x">The planes.</param>
/// <param name="blocks">Blocks of channels of an image.</param>
/// <param name="height">Rows of a plane.</param>
/// <param name="width">Columns of a plane.</param>
/// <param name="padTop">Rows of the first squares above the plane.</param>
/// <param name="padLeft">Columns of the first squares left of the plane.</param>
/// <param name="rows">Squares down a plane.</param>
/// <param name="columns">Squares across a plane.</param>
/// <param name="side">Vectors on a side of a square, at most 6.</param>
/// <param name="step">From square to square.</param>
internal readonly unsafe struct WinogradSquares(float* x, int blocks, int height, int width, int padTop, int padLeft, int rows, int columns, int side, int step)
{
    private const int Lanes = ChannelBlocks.Width, MostSide = 6;

    /// <summary>How far ahead planes are fetched into the second-level cache: rows of squares are too short for the processor to see them coming.</summary>
    private const int AheadBytes = 32 << 10;

    /// <summary>Transforms some squares of some blocks to [point][block][square][16].</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public void Transform<TTransform>(int first, int count, int firstBlock, int endBlock, float* to, nint pointStep) where TTransform : struct, IWinogradTransform
    {
        float* copy = stackalloc float[(MostSide * MostSide + MostSide + 1) * Lanes];
        copy = (float*)(((nint)copy + 63) & ~63);
        float* zeros = copy + MostSide * MostSide * Lanes;
        new Span<float>(zeros, MostSide * Lanes).Clear();
        float** lines = stackalloc float*[MostSide];
        for (int block = firstBlock; block < endBlock; block++)
        {
            int image = first / (rows * columns), row = first / columns % rows, column = first % columns;
            for (int square = 0; square < count; square++, to += Lanes)
            {
                int top = row * step - padTop, left = column * step - padLeft;
                float* plane = x + ((long)image * blocks + block) * height * width * Lanes;
                for (int i = 0; i < side; i++) lines[i] = (uint)(top + i) < (uint)height ? plane + ((top + i) * width + left) * Lanes : zeros;
                if (left < 0 || left + side > width) CopyEdge(lines, left, copy, zeros);
                byte* ahead = (byte*)(plane + ((long)(top + 1) * width + left + 1) * Lanes) + AheadBytes;
                for (int i = 0; i < step; i++, ahead += (long)width * Lanes * sizeof(float))
                    for (int j = 0; j < step; j++) Sse.Prefetch1(ahead + j * Lanes * sizeof(float));
                TTransform.Apply(lines, to, pointStep);
                if (++column < columns) continue;
                column = 0;
                if (++row < rows) continue;
                row = 0;
                image++;
            }
        }
    }

    /// <summary>Columns outside the plane read as zeros: the square is copied.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void CopyEdge(float** lines, int left, float* copy, float* zeros)
    {
        for (int i = 0; i < side; i++, copy += side * Lanes)
        {
            bool isInside = lines[i] != zeros;
            for (int j = 0; j < side; j++)
            {
                Vector512<float> value = isInside && (uint)(left + j) < (uint)width ? Vector512.Load(lines[i] + j * Lanes) : default;
                value.Store(copy + j * Lanes);
            }
            lines[i] = copy;
        }
    }
}
