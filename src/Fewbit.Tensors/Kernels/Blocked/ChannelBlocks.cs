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
                    if (toBlocks) SquareTranspose.Run(planes + pixel, pixels, lanes, Width, vectors + (long)pixel * Width, Width, Width);
                    else SquareTranspose.Run(vectors + (long)pixel * Width, Width, Width, lanes, planes + pixel, pixels, Width);
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
