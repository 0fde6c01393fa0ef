using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;
using Fewbit.Tensors.Threading;

namespace Fewbit.Tensors.Kernels;

/// <summary>The gradient in the image of a strided depthwise convolution on channel blocks: each vector of dx gathers the few taps that reach it.</summary>
internal static unsafe class DepthwiseBackwardData
{
    private const int Lanes = ChannelBlocks.Width, ChunkVectors = 1 << 11;

    /// <summary>A larger dx goes past the caches, which it would not stay in.</summary>
    private const long MostCachedBytes = 16 << 20;

    /// <param name="forward">The forward convolution.</param>
    /// <param name="dy">[N, C/16, OutHeight, OutWidth, 16].</param>
    /// <param name="weights">[C, 1, kH, kW].</param>
    /// <param name="added">Shaped like dx, may be dx; null: nothing.</param>
    /// <param name="dx">[N, C/16, H, W, 16], aligned to 64 bytes.</param>
    /// <param name="packed">Bytes of packed weights of <see cref="BlockedDepthwise"/>.</param>
    public static void Run(in Conv2DShape forward, float* dy, float* weights, float* added, float* dx, float* packed)
    {
        BlockedDepthwise.PackWeights(forward, WeightView.Of(forward, weights), packed);
        var job = new RowsJob(forward, dy, packed, added, dx);
        Workers.Run(job.Chunks, ref job);
    }

    /// <summary>A tap that reaches a phase of dx: which weight, and where it reads dy from the phase's own row and column.</summary>
    private struct Reach
    {
        public float* Weight;
        public int RowShift, ColumnShift;

        /// <summary>Columns of the phase whose vector of dy exists.</summary>
        public int First, End;

        /// <summary>The vector that the first column reads in the present row; null: none.</summary>
        public float* Errors;
    }

    /// <summary>A chunk is a range of rows of one block of one image.</summary>
    private readonly struct RowsJob : IJob
    {
        private readonly Conv2DShape _shape;
        private readonly float* _dy, _packed, _added, _dx;
        private readonly int _blocks, _parts, _outHeight, _outWidth;
        private readonly bool _isStreamed;

        public RowsJob(in Conv2DShape shape, float* dy, float* packed, float* added, float* dx)
        {
            (_shape, _blocks, _outHeight, _outWidth) = (shape, (shape.InChannels + Lanes - 1) / Lanes, shape.OutHeight, shape.OutWidth);
            _dy = dy;
            _packed = packed;
            _added = added;
            _dx = dx;
            _isStreamed = added == null && (long)shape.Batch * _blocks * shape.InPlane * Lanes * sizeof(float) > MostCachedBytes;
            _parts = Math.Clamp(shape.InPlane / ChunkVectors, 1, shape.InHeight);
        }

        public int Chunks => _shape.Batch * _blocks * _parts;

        public void Run(int chunk)
        {
            int part = chunk / _blocks % _parts, block = chunk % _blocks, plane = chunk / (_parts * _blocks) * _blocks + block;
            Reach* reaches = (Reach*)ThreadScratch.Get((long)_shape.Taps * sizeof(Reach));
            int first = (int)((long)_shape.InHeight * part / _parts), end = (int)((long)_shape.InHeight * (part + 1) / _parts);
            float* errors = _dy + (long)plane * _outHeight * _outWidth * Lanes;
            for (int phase = 0; phase < _shape.StrideHeight * Math.Min(_shape.StrideWidth, _shape.InWidth); phase++)
            {
                int rowPhase = phase % _shape.StrideHeight, columnPhase = phase / _shape.StrideHeight, count = Find(rowPhase, columnPhase, _packed + (long)block * _shape.Taps * Lanes, reaches);
                int firstStep = (first - rowPhase + _shape.StrideHeight - 1) / _shape.StrideHeight;
                for (int step = Math.Max(0, firstStep); step * _shape.StrideHeight + rowPhase < end; step++)
                {
                    for (int i = 0; i < count; i++)
                    {
                        int row = step + reaches[i].RowShift;
                        reaches[i].Errors = (uint)row < (uint)_outHeight ? errors + ((long)row * _outWidth + reaches[i].ColumnShift) * Lanes : null;
                    }
                    long at = (((long)plane * _shape.InHeight + step * _shape.StrideHeight + rowPhase) * _shape.InWidth + columnPhase) * Lanes;
                    Write(reaches, count, columnPhase, _added == null ? null : _added + at, _dx + at);
                }
            }
        }

        private int Find(int rowPhase, int columnPhase, float* weights, Reach* reaches)
        {
            int count = 0, columns = (_shape.InWidth - columnPhase + _shape.StrideWidth - 1) / _shape.StrideWidth;
            for (int tap = 0; tap < _shape.Taps; tap++)
            {
                int y = rowPhase + _shape.PadTop - tap / _shape.KernelWidth * _shape.DilationHeight, x = columnPhase + _shape.PadLeft - tap % _shape.KernelWidth * _shape.DilationWidth;
                if (y % _shape.StrideHeight != 0 || x % _shape.StrideWidth != 0) continue;
                int shift = x / _shape.StrideWidth;
                reaches[count++] = new() { Weight = weights + tap * Lanes, RowShift = y / _shape.StrideHeight, ColumnShift = shift, First = Math.Max(0, -shift), End = Math.Min(columns, _outWidth - shift) };
            }
            return count;
        }

        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        private void Write(Reach* reaches, int count, int phase, float* added, float* dx)
        {
            long step = (long)_shape.StrideWidth * Lanes;
            int columns = (_shape.InWidth - phase + _shape.StrideWidth - 1) / _shape.StrideWidth;
            for (int column = 0; column < columns; column++)
            {
                Vector512<float> sum = added == null ? default : Vector512.Load(added + column * step);
                for (Reach* reach = reaches, end = reaches + count; reach < end; reach++)
                {
                    if (reach->Errors == null || column < reach->First || column >= reach->End) continue;
                    sum = Avx512F.FusedMultiplyAdd(Vector512.Load(reach->Weight), Vector512.Load(reach->Errors + (long)column * Lanes), sum);
                }
                if (_isStreamed) sum.StoreAlignedNonTemporal(dx + column * step);
                else sum.Store(dx + column * step);
            }
        }
    }
}
