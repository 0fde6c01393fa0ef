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
    /// <summary>Products that the panels compute for one output pixel, padding included.</summary>
    public static long Products(in Conv2DShape shape, in TileSum sum) => Layout(shape, sum, null, 0).Floats;

    public static long Bytes(in Conv2DShape shape, in TileSum sum)
    {
        (int panels, long floats) = Layout(shape, sum, null, 0);
        return TableBytes(panels) + floats * sizeof(float);
    }

    public static int Count(in Conv2DShape shape, in TileSum sum) => Layout(shape, sum, null, 0).Panels;

    public static void Pack(in Conv2DShape shape, in TileSum sum, float* weights, float* packed)
    {
        int count = Count(shape, sum);
        var panels = (TilePanel*)packed;
        Layout(shape, sum, panels, TableBytes(count) / sizeof(float));
        for (int i = 0; i < count; i++) Fill(shape, sum, panels[i], weights, packed + panels[i].Weights);
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

    private static void Fill(in Conv2DShape shape, in TileSum sum, in TilePanel panel, float* weights, float* to)
    {
        for (int s = 0; s < panel.Segments; s++)
        {
            for (int tap = 0; tap < sum.Taps; tap++)
            {
                for (int step = 0; step < sum.Steps; step++)
                {
                    for (int lane = 0; lane < panel.Blocks * TileSum.Block; lane++, to++)
                        *to = Weight(shape, sum, weights, panel.FirstBlock * TileSum.Block + lane, panel.FirstSegment + s, tap, step);
                }
            }
        }
    }

    private static float Weight(in Conv2DShape shape, in TileSum sum, float* weights, int outChannel, int segment, int tap, int step)
    {
        if (outChannel >= shape.OutChannels) return 0;
        if (!sum.IsBlocked) return weights[((long)outChannel * shape.InChannels + segment) * shape.Taps + tap * sum.Steps + step];
        int channel = segment * sum.Steps + step - outChannel / shape.GroupOutChannels * shape.GroupInChannels;
        return (uint)channel < (uint)shape.GroupInChannels ? weights[((long)outChannel * shape.GroupInChannels + channel) * shape.Taps + tap] : 0;
    }
}
