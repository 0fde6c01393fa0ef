using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;
using Fewbit.Tensors.Threading;

namespace Fewbit.Tensors.Kernels;

/// <summary>Output blocks that read the same input segments: one panel of packed weights, [segment][tap][step][block][16].</summary>
internal struct TilePanel
{
    public int FirstBlock, Blocks, FirstSegment, Segments;

    /// <summary>Where its weights start, in floats from the start of the packed weights.</summary>
    public long Weights;
}

/// <summary>Packed weights: a table of <see cref="TilePanel"/>, then their weights.</summary>
internal static unsafe class TilePanels
{
    private const int SegmentFloatsAChunk = 1 << 14;

    /// <summary>Products that the panels compute for one output pixel, padding included.</summary>
    public static long Products(in Conv2DShape shape, in TileSum sum) => Layout(shape, sum, null, 0).Floats;

    public static long Bytes(in Conv2DShape shape, in TileSum sum)
    {
        (int panels, long floats) = Layout(shape, sum, null, 0);
        return TableBytes(panels) + floats * sizeof(float);
    }

    public static int Count(in Conv2DShape shape, in TileSum sum) => Layout(shape, sum, null, 0).Panels;

    public static void Pack(in Conv2DShape shape, in TileSum sum, in WeightView weights, float* packed)
    {
        int count = Count(shape, sum);
        var panels = (TilePanel*)packed;
        Layout(shape, sum, panels, TableBytes(count) / sizeof(float));
        var job = new PackJob(shape, sum, weights, packed, count);
        Workers.Run(job.Chunks, ref job);
    }

    private static long TableBytes(int panels) => ((long)panels * sizeof(TilePanel) + 63) / 64 * 64;

    private static (int Panels, long Floats) Layout(in Conv2DShape shape, in TileSum sum, TilePanel* table, long start)
    {
        int blocks = (shape.OutChannels + TileSum.Block - 1) / TileSum.Block, panels = 0;
        long floats = 0;
        for (int block = 0; block < blocks;)
        {
            (int first, int end) = SegmentsOf(shape, sum, block);
            int same = 1;
            while (block + same < blocks && SegmentsOf(shape, sum, block + same) == (first, end)) same++;
            for (int parts = (same + TileKernel.MostBlocks - 1) / TileKernel.MostBlocks; parts > 0; parts--)
            {
                // Nearly equal parts: 5 blocks are 3 and 2, not 4 and 1.
                int size = (same + parts - 1) / parts;
                if (table != null) table[panels] = new() { FirstBlock = block, Blocks = size, FirstSegment = first, Segments = end - first, Weights = start + floats };
                floats += (long)(end - first) * sum.Taps * sum.Steps * size * TileSum.Block;
                (panels, block, same) = (panels + 1, block + size, same - size);
            }
        }
        return (panels, floats);
    }

    /// <summary>The segments that the groups of an output block read.</summary>
    private static (int First, int End) SegmentsOf(in Conv2DShape shape, in TileSum sum, int block)
    {
        if (shape.Groups == 1) return (0, sum.Segments);
        int last = Math.Min((block + 1) * TileSum.Block, shape.OutChannels) - 1;
        int firstChannel = block * TileSum.Block / shape.GroupOutChannels * shape.GroupInChannels, endChannel = (last / shape.GroupOutChannels + 1) * shape.GroupInChannels;
        return (firstChannel / sum.Steps, (endChannel + sum.Steps - 1) / sum.Steps);
    }

    /// <summary>A chunk is some segments of one panel.</summary>
    private readonly struct PackJob : IJob
    {
        private readonly Conv2DShape _shape;
        private readonly TileSum _sum;
        private readonly WeightView _weights;
        private readonly float* _packed;
        private readonly int _panels, _parts;

        public PackJob(in Conv2DShape shape, in TileSum sum, in WeightView weights, float* packed, int panels)
        {
            (_shape, _sum, _weights, _panels) = (shape, sum, weights, panels);
            _packed = packed;
            _parts = Math.Clamp((int)((long)sum.Segments * sum.Taps * sum.Steps * TileSum.Block / SegmentFloatsAChunk), 1, sum.Segments);
        }

        public int Chunks => _panels * _parts;

        public void Run(int chunk)
        {
            TilePanel panel = ((TilePanel*)_packed)[chunk / _parts];
            int part = chunk % _parts, end = (int)((long)panel.Segments * (part + 1) / _parts);
            float* lanes = (float*)ThreadScratch.Get((long)_sum.Steps * _weights.MemoryTaps * TileSum.Block * sizeof(float));
            for (int s = (int)((long)panel.Segments * part / _parts); s < end; s++)
            {
                float* to = _packed + panel.Weights + (long)s * _sum.Taps * _sum.Steps * panel.Blocks * TileSum.Block;
                for (int block = 0; block < panel.Blocks; block++) Fill(panel.FirstBlock + block, panel.FirstSegment + s, lanes, to + block * TileSum.Block, panel.Blocks * TileSum.Block);
            }
        }

        /// <summary>One block of one segment: [tap][step], <paramref name="stride"/> floats apart.</summary>
        private void Fill(int block, int segment, float* lanes, float* to, int stride)
        {
            int first = block * TileSum.Block, end = Math.Min(first + TileSum.Block, _shape.OutChannels);
            if (!_sum.IsBlocked)
            {
                FillEach(first, segment, to, stride);
                return;
            }
            bool isOne = _weights.IsOneGroup(first, end);
            for (int i = 0; !isOne && i < _sum.Taps * _sum.Steps; i++) Vector512<float>.Zero.Store(to + (long)i * stride);
            for (int output = first, next; output < end; output = next)
            {
                int group = output / _shape.GroupOutChannels;
                next = Math.Min((group + 1) * _shape.GroupOutChannels, end);
                FillGroup(output, next, segment * _sum.Steps - group * _shape.GroupInChannels, lanes, to + (output - first), stride, isOne);
            }
        }

        /// <summary>The outputs of one group; <paramref name="channel"/> is that of the segment's first step in the group, which may not have it.</summary>
        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        private void FillGroup(int output, int end, int channel, float* lanes, float* to, int stride, bool isWhole)
        {
            int firstStep = Math.Clamp(-channel, 0, _sum.Steps), endStep = Math.Clamp(_shape.GroupInChannels - channel, firstStep, _sum.Steps);
            if (endStep > firstStep) _weights.CopyLanes(output, end - output, channel + firstStep, endStep - firstStep, lanes);
            Vector512<float> mask = SquareTranspose.Lanes(end - output);
            for (int tap = 0; tap < _sum.Taps; tap++)
            {
                float* from = lanes + _weights.PlaceOf(tap) * TileSum.Block;
                for (int step = 0; step < _sum.Steps; step++, to += stride)
                {
                    Vector512<float> weights = step >= firstStep && step < endStep ? Vector512.Load(from + (step - firstStep) * _weights.MemoryTaps * TileSum.Block) : default;
                    if (isWhole) weights.Store(to);
                    else Avx512F.MaskStore(to, mask, weights);
                }
            }
        }

        /// <summary>Of row-major planes: few weights, whose steps are columns of the kernel.</summary>
        private void FillEach(int firstOutput, int segment, float* to, int stride)
        {
            for (int tap = 0; tap < _sum.Taps; tap++)
                for (int step = 0; step < _sum.Steps; step++, to += stride)
                    for (int lane = 0; lane < TileSum.Block; lane++) to[lane] = firstOutput + lane < _shape.OutChannels ? _weights.At(firstOutput + lane, segment, tap * _sum.Steps + step) : 0;
        }
    }
}
