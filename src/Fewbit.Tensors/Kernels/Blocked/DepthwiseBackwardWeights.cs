using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;
using Fewbit.Tensors.Threading;

namespace Fewbit.Tensors.Kernels;

/// <summary>The gradient in the weights of a depthwise convolution on channel blocks: for each tap and 16 channels a sum of products over the rectangle of pixels inside the image.</summary>
internal static unsafe class DepthwiseBackwardWeights
{
    private const int Lanes = ChannelBlocks.Width, FewChunks = 32;

    public static bool Fits(in Conv2DShape forward) => BlockedDepthwise.Fits(forward);

    public static long ScratchBytes(in Conv2DShape forward) => new SumJob(forward, null, null, null).SumFloats * sizeof(float);

    /// <summary>As <see cref="BlockedConvBackwardWeights.Run"/>.</summary>
    public static void Run(in Conv2DShape forward, float* x, float* dy, float* dw, float* scratch)
    {
        var job = new SumJob(forward, x, dy, scratch);
        Workers.Run(job.Chunks, ref job);
        for (int channel = 0; channel < forward.OutChannels; channel += Lanes)
        {
            float* sums = job.SumsOf(0, channel / Lanes);
            for (int part = 1; part < job.Parts; part++) WeightSums.Add(sums, job.SumsOf(part, channel / Lanes), forward.Taps * Lanes);
            for (int tap = 0; tap < forward.Taps; tap += Lanes)
            {
                int taps = Math.Min(Lanes, forward.Taps - tap);
                SquareTranspose.Run(sums + tap * Lanes, Lanes, taps, Math.Min(Lanes, forward.OutChannels - channel), dw + (long)channel * forward.Taps + tap, forward.Taps, taps);
            }
        }
    }

    /// <summary>A chunk is a part of the pixels of one block.</summary>
    private readonly struct SumJob : IJob
    {
        private readonly Conv2DShape _shape;
        private readonly PixelBands _bands;
        private readonly float* _x, _dy, _sums;
        private readonly int _blocks;

        public SumJob(in Conv2DShape shape, float* x, float* dy, float* sums)
        {
            (_shape, _bands, _blocks) = (shape, new(shape), (shape.InChannels + Lanes - 1) / Lanes);
            _x = x;
            _dy = dy;
            _sums = sums;
            Parts = Math.Clamp(FewChunks / _blocks, 1, _bands.Count);
        }

        public int Parts { get; }

        public int Chunks => Parts * _blocks;

        public long SumFloats => (long)Chunks * _shape.Taps * Lanes;

        /// <summary>[tap][16].</summary>
        public float* SumsOf(int part, int block) => _sums + ((long)part * _blocks + block) * _shape.Taps * Lanes;

        public void Run(int chunk)
        {
            int part = chunk / _blocks, block = chunk % _blocks;
            float* sums = SumsOf(part, block);
            new Span<float>(sums, _shape.Taps * Lanes).Clear();
            for (int i = _bands.FirstOf(part, Parts); i < _bands.FirstOf(part + 1, Parts); i++)
            {
                PixelBand band = _bands[i];
                for (int image = band.FirstImage; image < band.EndImage; image++)
                {
                    float* plane = _x + ((long)image * _blocks + block) * _shape.InPlane * Lanes, errors = _dy + ((long)image * _blocks + block) * _shape.OutPlane * Lanes;
                    for (int tap = 0; tap < _shape.Taps; tap++)
                    {
                        var pixels = new TapPixels(_shape, _bands.OutWidth, band, tap);
                        if (tap == 0) Fetch(plane, errors, band);
                        if (!pixels.IsEmpty) Add(pixels, plane + pixels.InPixel * Lanes, errors + pixels.OutPixel * Lanes, sums + tap * Lanes);
                    }
                }
            }
        }

        /// <summary>Fetches the pixels of the next band while this one is summed.</summary>
        private void Fetch(float* plane, float* errors, in PixelBand band)
        {
            int rows = band.EndRow - band.FirstRow, width = _shape.InWidth;
            float* y = errors + (long)band.EndRow * _bands.OutWidth * Lanes, x = plane + (long)Math.Max(0, band.EndRow * _shape.StrideHeight - _shape.PadTop) * width * Lanes;
            for (int i = 0; i < rows * _bands.OutWidth; i++) Sse.Prefetch1(y + i * Lanes);
            for (int i = 0; i < rows * _shape.StrideHeight * width; i++) Sse.Prefetch1(x + i * Lanes);
        }

        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        private void Add(in TapPixels pixels, float* xRow, float* yRow, float* sum)
        {
            // Four sums hide the latency of the addition.
            Vector512<float> s0 = Vector512.Load(sum), s1 = default, s2 = default, s3 = default;
            nint step = _shape.StrideWidth * Lanes, xRowStep = (nint)_shape.StrideHeight * _shape.InWidth * Lanes, yRowStep = (nint)_bands.OutWidth * Lanes;
            int columns = pixels.Columns;
            for (int row = pixels.Rows; row > 0; row--, xRow += xRowStep, yRow += yRowStep)
            {
                float* x = xRow, y = yRow;
                int column = columns;
                for (; column >= 4; column -= 4, x += 4 * step, y += 4 * Lanes)
                {
                    s0 = Avx512F.FusedMultiplyAdd(Vector512.Load(x), Vector512.Load(y), s0);
                    s1 = Avx512F.FusedMultiplyAdd(Vector512.Load(x + step), Vector512.Load(y + Lanes), s1);
                    s2 = Avx512F.FusedMultiplyAdd(Vector512.Load(x + 2 * step), Vector512.Load(y + 2 * Lanes), s2);
                    s3 = Avx512F.FusedMultiplyAdd(Vector512.Load(x + 3 * step), Vector512.Load(y + 3 * Lanes), s3);
                }
                if (column > 0) s0 = Avx512F.FusedMultiplyAdd(Vector512.Load(x), Vector512.Load(y), s0);
                if (column > 1) s1 = Avx512F.FusedMultiplyAdd(Vector512.Load(x + step), Vector512.Load(y + Lanes), s1);
                if (column > 2) s2 = Avx512F.FusedMultiplyAdd(Vector512.Load(x + 2 * step), Vector512.Load(y + 2 * Lanes), s2);
            }
            (s0 + s1 + (s2 + s3)).Store(sum);
        }
    }
}
