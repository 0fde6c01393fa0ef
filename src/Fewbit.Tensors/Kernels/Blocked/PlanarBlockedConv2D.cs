using Fewbit.Tensors.Threading;

namespace Fewbit.Tensors.Kernels;

/// <summary>The first convolution of a network: x is ordinary [N, C, H, W] with few channels, y is [N, M/16, OutHeight, OutWidth, 16]. The same methods as <see cref="BlockedConv2D"/>.</summary>
/// <remarks>A chunk copies the rows that it reads with their padding; in such rows the taps of a kernel row are consecutive floats.</remarks>
internal static unsafe class PlanarBlockedConv2D
{
    private const int MostChannels = 8;
    private const int ChunkProducts = 1 << 22, FewChunks = 16;

    /// <summary>Up to 8 channels, ungrouped, kernel columns not dilated, AVX-512.</summary>
    public static bool Fits(in Conv2DShape shape) => KernelPaths.Active >= KernelPath.Avx512 && !shape.IsEmpty && shape.Groups == 1 && shape.InChannels is > 0 and <= MostChannels
        && shape.InPlane > 0 && shape.DilationWidth == 1 && shape.KernelWidth <= TileKernel.MostSteps && TileSum.OfPaddedPlanes(PaddedRows.Padded(shape, shape.OutHeight)).IsAddressable;

    public static long PackedWeightBytes(in Conv2DShape shape) => TilePanels.Bytes(shape, TileSum.OfPaddedPlanes(shape));

    public static void PackWeights(in Conv2DShape shape, float* weights, float* packed) => TilePanels.Pack(shape, TileSum.OfPaddedPlanes(shape), WeightView.Of(shape, weights), packed);

    public static long ScratchBytes(in Conv2DShape shape) => 0;

    /// <summary>y = epilogue(conv(x, w)).</summary>
    public static void Run(in Conv2DShape shape, float* x, float* packed, in BlockedEpilogue epilogue, float* y, void* scratch)
    {
        var job = new RowsJob(shape, x, packed, epilogue, y);
        Workers.Run(job.Chunks, ref job);
    }

    /// <summary>A chunk is a range of output rows of one image.</summary>
    private readonly struct RowsJob : IJob
    {
        private readonly Conv2DShape _shape, _padded;
        private readonly TileWork _work;
        private readonly float* _x;
        private readonly int _rows, _parts, _outHeight, _outWidth, _panels;
        private readonly long _copyBytes;

        public RowsJob(in Conv2DShape shape, float* x, float* packed, in BlockedEpilogue epilogue, float* y)
        {
            (_shape, _outHeight, _outWidth) = (shape, shape.OutHeight, shape.OutWidth);
            _x = x;
            long rowProducts = (long)shape.OutChannels * shape.Inner * _outWidth;
            _rows = (int)Math.Clamp(Math.Min(ChunkProducts / rowProducts, (long)shape.Batch * _outHeight / FewChunks), 1, _outHeight);
            _parts = (_outHeight + _rows - 1) / _rows;
            _padded = PaddedRows.Padded(shape, _rows);
            var sum = TileSum.OfPaddedPlanes(_padded);
            _work = new(shape, sum, packed, epilogue, y);
            _panels = TilePanels.Count(shape, sum);
            _copyBytes = (sum.ImageFloats * sizeof(float) + 63) / 64 * 64;
        }

        public int Chunks => _shape.Batch * _parts;

        public void Run(int chunk)
        {
            int batch = chunk / _parts, row = chunk % _parts * _rows, first = row * _outWidth, end = Math.Min(row + _rows, _outHeight) * _outWidth;
            byte* copy = (byte*)ThreadScratch.Get(_copyBytes + _work.ScratchBytes);
            PaddedRows.Copy(_shape, _padded, _x + (long)batch * _shape.InChannels * _shape.InPlane, row, (float*)copy);
            for (int panel = 0; panel < _panels; panel++) _work.Multiply(panel, batch, copy, first, first, end, copy + _copyBytes);
        }
    }
}
