namespace Fewbit.Tensors.Kernels;

/// <summary>Copies of the rows of planes that some output rows read, with their padding.</summary>
internal static unsafe class PaddedRows
{
    /// <summary>The convolution of some output rows, padding included in the input.</summary>
    public static Conv2DShape Padded(in Conv2DShape shape, int outRows) => shape with
    {
        InHeight = (outRows - 1) * shape.StrideHeight + (shape.KernelHeight - 1) * shape.DilationHeight + 1,
        InWidth = shape.InWidth + shape.PadLeft + shape.PadRight,
        PadTop = 0,
        PadLeft = 0,
        PadBottom = 0,
        PadRight = 0,
    };

    /// <summary>Copies the rows of one image [C, H, W] that the output rows from <paramref name="outRow"/> on read.</summary>
    /// <param name="shape">The convolution.</param>
    /// <param name="padded">From <see cref="Padded"/>.</param>
    /// <param name="image">The planes.</param>
    /// <param name="outRow">The first output row.</param>
    /// <param name="to">[C, rows, width] of <paramref name="padded"/>.</param>
    public static void Copy(in Conv2DShape shape, in Conv2DShape padded, float* image, int outRow, float* to)
    {
        int first = outRow * shape.StrideHeight - shape.PadTop;
        for (int c = 0; c < shape.InChannels; c++) CopyPlane(shape, padded, image + (long)c * shape.InPlane, first, to + (long)c * padded.InPlane);
    }

    private static void CopyPlane(in Conv2DShape shape, in Conv2DShape padded, float* plane, int firstRow, float* to)
    {
        for (int y = firstRow; y < firstRow + padded.InHeight; y++, to += padded.InWidth)
        {
            if ((uint)y >= (uint)shape.InHeight)
            {
                new Span<float>(to, padded.InWidth).Clear();
                continue;
            }
            new Span<float>(to, shape.PadLeft).Clear();
            new Span<float>(plane + (long)y * shape.InWidth, shape.InWidth).CopyTo(new Span<float>(to + shape.PadLeft, shape.InWidth));
            new Span<float>(to + shape.PadLeft + shape.InWidth, shape.PadRight).Clear();
        }
    }
}
