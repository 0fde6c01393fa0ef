using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Fewbit.Tensors.Kernels;

/// <summary>Packs columns of the matrix that a convolution multiplies with, straight from the image: row p = (channel, ky, kx), column = output pixel.</summary>
/// <remarks>Elements are words of 4 bytes: a float, or 4 int8 channels of one pixel. <c>fill</c> is the word beyond the border.</remarks>
internal readonly unsafe struct ImagePanels(Conv2DShape shape, uint fill)
{
    private const int Step = 16;

    /// <summary>A run of output pixels of one row.</summary>
    private struct Run
    {
        public int At, Length, Y, X;
    }

    /// <summary>Packs [end - start, width] words: rows start to end of the matrix, columns from <paramref name="pixel"/> on, zeros after the last pixel.</summary>
    /// <param name="image">First channel of the group.</param>
    /// <param name="readEnd">End of the memory that may be read: copies are wider than rows.</param>
    /// <param name="pixel">First output pixel.</param>
    /// <param name="start">First row.</param>
    /// <param name="end">Row after the last.</param>
    /// <param name="to">The panel.</param>
    /// <param name="width">Columns of the panel, a multiple of 4.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public void Pack(uint* image, uint* readEnd, int pixel, int start, int end, uint* to, int width)
    {
        int count = Math.Min(width, shape.OutPlane - pixel);
        Run* runs = stackalloc Run[width];
        int total = Split(pixel, count, runs);
        int taps = shape.Taps, channel = start / taps, tap = start % taps;
        for (int p = start; p < end; p++, to += width)
        {
            int ky = tap / shape.KernelWidth, kx = tap % shape.KernelWidth;
            uint* plane = image + (long)channel * shape.InPlane;
            for (int i = 0; i < total; i++)
            {
                int y = runs[i].Y + ky * shape.DilationHeight, x = runs[i].X + kx * shape.DilationWidth;
                uint* at = to + runs[i].At;
                if ((uint)y >= (uint)shape.InHeight) new Span<uint>(at, runs[i].Length).Fill(fill);
                else if (shape.StrideWidth == 1) CopyRow(plane + (long)y * shape.InWidth, x, at, runs[i].Length, readEnd, to + width);
                else CopyStrided(plane + (long)y * shape.InWidth, x, at, runs[i].Length);
            }
            if (count < width) new Span<uint>(to + count, width - count).Clear();
            if (++tap == taps) (tap, channel) = (0, channel + 1);
        }
    }

    private int Split(int pixel, int count, Run* runs)
    {
        int outWidth = shape.OutWidth, total = 0;
        for (int at = 0; at < count;)
        {
            int oy = (pixel + at) / outWidth, ox = (pixel + at) % outWidth, length = Math.Min(count - at, outWidth - ox);
            runs[total++] = new Run { At = at, Length = length, Y = oy * shape.StrideHeight - shape.PadTop, X = ox * shape.StrideWidth - shape.PadLeft };
            at += length;
        }
        return total;
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void CopyRow(uint* row, int x, uint* to, int length, uint* readEnd, uint* writeEnd)
    {
        int left = Math.Clamp(-x, 0, length), right = Math.Clamp(x + length - shape.InWidth, 0, length - left);
        for (int i = 0; i < left; i++) to[i] = fill;
        uint* from = row + x;
        int i0 = left, stop = length - right;
        // Whole vectors, over the end of the run as far as memory allows: the next run overwrites what is too much.
        for (; i0 < stop && from + i0 + Step <= readEnd && to + i0 + Step <= writeEnd; i0 += Step) Vector512.Store(Vector512.Load(from + i0), to + i0);
        for (; i0 < stop; i0++) to[i0] = from[i0];
        for (int i = stop; i < length; i++) to[i] = fill;
    }

    private void CopyStrided(uint* row, int x, uint* to, int length)
    {
        int stride = shape.StrideWidth;
        for (int i = 0; i < length; i++, x += stride) to[i] = (uint)x < (uint)shape.InWidth ? row[x] : fill;
    }
}
