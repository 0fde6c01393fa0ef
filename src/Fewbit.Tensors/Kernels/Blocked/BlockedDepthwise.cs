using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;
using Fewbit.Tensors.Emission;
using Fewbit.Tensors.Threading;

namespace Fewbit.Tensors.Kernels;

/// <summary>Depthwise convolution (one input and one output channel a group) on channel blocks: 16 channels are the lanes of a vector.</summary>
internal static unsafe class BlockedDepthwise
{
    private const int ChunkProducts = 1 << 13; // vectors, two microseconds

    public static bool Fits(in Conv2DShape shape) => shape.IsDepthwise && shape.OutChannels == shape.InChannels;

    public static long PackedWeightBytes(in Conv2DShape shape) => (long)Blocks(shape) * shape.Taps * TileSum.Block * sizeof(float);

    /// <summary>[block][tap][16].</summary>
    public static void PackWeights(in Conv2DShape shape, in WeightView weights, float* packed)
    {
        float* lanes = (float*)ThreadScratch.Get((long)weights.MemoryTaps * TileSum.Block * sizeof(float));
        for (int block = 0; block < Blocks(shape); block++)
        {
            weights.CopyDepthwise(block * TileSum.Block, Math.Min(TileSum.Block, shape.OutChannels - block * TileSum.Block), lanes);
            for (int tap = 0; tap < shape.Taps; tap++, packed += TileSum.Block) Vector512.Load(lanes + weights.PlaceOf(tap) * TileSum.Block).Store(packed);
        }
    }

    public static void Run(in Conv2DShape shape, float* x, float* packed, in BlockedEpilogue epilogue, float* y)
    {
        var job = new RowsJob(shape, x, packed, epilogue, y);
        Workers.Run(job.Chunks, ref job);
    }

    private static int Blocks(in Conv2DShape shape) => (shape.InChannels + TileSum.Block - 1) / TileSum.Block;

    /// <summary>A chunk is a range of output rows of one block of one image.</summary>
    private readonly struct RowsJob : IJob
    {
        private readonly Conv2DShape _shape;
        private readonly float* _x, _packed, _y;
        private readonly BlockedEpilogue _epilogue;
        private readonly int _blocks, _outHeight, _outWidth, _tiles, _parts;
        private readonly bool _isEmitted;

        public RowsJob(in Conv2DShape shape, float* x, float* packed, in BlockedEpilogue epilogue, float* y)
        {
            (_shape, _epilogue, _outHeight, _outWidth) = (shape, epilogue, shape.OutHeight, shape.OutWidth);
            _x = x;
            _packed = packed;
            _y = y;
            _blocks = Blocks(shape);
            _tiles = (_outWidth + EmittedDepthwise.MostPixels - 1) / EmittedDepthwise.MostPixels;
            _isEmitted = KernelPaths.Active >= KernelPath.Emitted && shape.KernelWidth <= EmittedDepthwise.MostTaps;
            _parts = (int)Math.Clamp((long)shape.OutPlane * shape.Taps / ChunkProducts, 1, _outHeight);
        }

        public int Chunks => _shape.Batch * _blocks * _parts;

        public void Run(int chunk)
        {
            // Rows before blocks: the layers before and after split their pixels alike.
            int part = chunk / _blocks % _parts, block = chunk % _blocks, plane = chunk / (_parts * _blocks) * _blocks + block;
            float* zeros = stackalloc float[TileSum.Block];
            new Span<float>(zeros, TileSum.Block).Clear();
            long at = (long)plane * _outHeight * _outWidth * TileSum.Block;
            var task = new DepthwiseTask
            {
                TapRowBytes = _shape.DilationHeight * InRowBytes,
                RowBytes = _shape.StrideHeight * InRowBytes,
                OutRowBytes = (long)_outWidth * TileSum.Block * sizeof(float),
                Bias = _epilogue.Bias == null ? zeros : _epilogue.Bias + block * TileSum.Block,
                Y = _y + at,
                Start = _epilogue.Residual == null ? null : _epilogue.Residual + at,
                End = new(_epilogue.Activation),
            };
            byte* image = (byte*)_x + plane * InRowBytes * _shape.InHeight;
            float* weights = _packed + (long)block * _shape.Taps * TileSum.Block;
            int end = (int)((long)_outHeight * (part + 1) / _parts);
            for (int row = (int)((long)_outHeight * part / _parts), same; row < end; row += same)
            {
                (int firstTap, int endTap) = TapRows(row);
                for (same = 1; row + same < end && TapRows(row + same) == (firstTap, endTap);) same++;
                Rows(task, image, weights, row, same, firstTap, endTap);
            }
        }

        private long InRowBytes => (long)_shape.InWidth * TileSum.Block * sizeof(float);

        /// <summary>The kernel rows that lie in the image.</summary>
        private (int First, int End) TapRows(int row)
        {
            int y = row * _shape.StrideHeight - _shape.PadTop, dilation = _shape.DilationHeight;
            int first = y >= 0 ? 0 : (-y + dilation - 1) / dilation, end = y >= _shape.InHeight ? 0 : (_shape.InHeight - y + dilation - 1) / dilation;
            return (first, Math.Max(first, Math.Min(end, _shape.KernelHeight)));
        }

        private void Rows(DepthwiseTask task, byte* image, float* weights, int row, int rows, int firstTap, int endTap)
        {
            task.TapRows = endTap - firstTap;
            task.Weights = weights + firstTap * _shape.KernelWidth * TileSum.Block;
            byte* x = image + (row * _shape.StrideHeight - _shape.PadTop + firstTap * _shape.DilationHeight) * InRowBytes;
            float* y = task.Y + (long)row * _outWidth * TileSum.Block, start = task.Start == null ? null : task.Start + (long)row * _outWidth * TileSum.Block;
            for (int tile = 0; tile < _tiles; tile++)
            {
                int column = (int)((long)_outWidth * tile / _tiles), pixels = (int)((long)_outWidth * (tile + 1) / _tiles) - column;
                int left = column * _shape.StrideWidth - _shape.PadLeft, wanted = (pixels - 1) * _shape.StrideWidth + (_shape.KernelWidth - 1) * _shape.DilationWidth + 1;
                int skipped = Math.Clamp(-left, 0, wanted), existing = Math.Clamp(_shape.InWidth - Math.Max(left, 0), 0, wanted - skipped);
                task.X = x + (long)Math.Max(left, 0) * TileSum.Block * sizeof(float);
                task.Y = y + column * TileSum.Block;
                task.Start = start == null ? null : start + column * TileSum.Block;
                task.Rows = rows;
                var tileForm = new DepthwiseTile(pixels, _shape.KernelWidth, _shape.StrideWidth, _shape.DilationWidth, skipped, existing);
                if (_isEmitted) EmittedDepthwise.Run(tileForm, &task);
                else RunManaged(tileForm, &task);
            }
        }
    }

    private static void RunManaged(in DepthwiseTile tile, DepthwiseTask* task)
    {
        for (int row = 0; row < task->Rows; row++)
        {
            for (int pixel = 0; pixel < tile.Pixels; pixel++)
            {
                int first = pixel * tile.Stride - tile.Skipped, firstTap = first >= 0 ? 0 : (-first + tile.Dilation - 1) / tile.Dilation;
                int endTap = Math.Min(tile.Taps, (tile.Columns - first + tile.Dilation - 1) / tile.Dilation);
                Vector512<float> sum = Sum(tile, task, task->X + row * task->RowBytes + first * (long)sizeof(Vector512<float>), firstTap, endTap);
                long at = row * task->OutRowBytes + pixel * sizeof(Vector512<float>);
                if (task->Start != null) sum += *(Vector512<float>*)((byte*)task->Start + at);
                *(Vector512<float>*)((byte*)task->Y + at) = task->End.Apply(sum);
            }
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static Vector512<float> Sum(in DepthwiseTile tile, DepthwiseTask* task, byte* x, int firstTap, int endTap)
    {
        // Two sums hide half of the latency of the addition.
        Vector512<float> even = Vector512.Load(task->Bias), odd = default;
        long step = tile.Dilation * (long)sizeof(Vector512<float>);
        float* weights = task->Weights;
        for (long tapRow = 0; tapRow < task->TapRows; tapRow++, x += task->TapRowBytes, weights += tile.Taps * TileSum.Block)
        {
            int tap = firstTap;
            for (; tap + 1 < endTap; tap += 2)
            {
                even = Avx512F.FusedMultiplyAdd(*(Vector512<float>*)(x + tap * step), Vector512.Load(weights + tap * TileSum.Block), even);
                odd = Avx512F.FusedMultiplyAdd(*(Vector512<float>*)(x + (tap + 1) * step), Vector512.Load(weights + (tap + 1) * TileSum.Block), odd);
            }
            if (tap < endTap) even = Avx512F.FusedMultiplyAdd(*(Vector512<float>*)(x + tap * step), Vector512.Load(weights + tap * TileSum.Block), even);
        }
        return even + odd;
    }
}
