using Fewbit.Tensors.Threading;

namespace Fewbit.Tensors.Kernels;

/// <summary>Output blocks by input blocks whose tiles are summed by one chunk.</summary>
internal readonly record struct BlockRectangle(int FirstOut, int EndOut, int FirstIn, int EndIn)
{
    public int Count => (EndOut - FirstOut) * (EndIn - FirstIn);

    public int OutBlock(int tile) => FirstOut + tile / (EndIn - FirstIn);

    public int InBlock(int tile) => FirstIn + tile % (EndIn - FirstIn);
}

/// <summary>How a weight gradient is split, by its shape alone: into rectangles of blocks, and parts of the pixels that have sums of their own.</summary>
internal readonly struct WeightParts
{
    private const int Lanes = ChannelBlocks.Width;
    private const long MostPartsBytes = 16 << 20;

    private readonly int _outSide, _inSide, _inRectangles;

    /// <param name="shape">The forward convolution.</param>
    /// <param name="outSide">Blocks of outputs of a rectangle.</param>
    /// <param name="inSide">Blocks of inputs of a rectangle.</param>
    /// <param name="fewChunks">Chunks to reach where rectangles are few.</param>
    /// <param name="mostParts">Parts that the pixels can be split into.</param>
    public WeightParts(in Conv2DShape shape, int outSide, int inSide, int fewChunks, int mostParts)
    {
        Sums = new(shape);
        (_outSide, _inSide) = (Math.Min(outSide, Sums.OutBlocks), Math.Min(inSide, Sums.InBlocks));
        int outRectangles = (Sums.OutBlocks + _outSide - 1) / _outSide, most = 0;
        for (int i = 0; i < outRectangles; i++)
        {
            (int first, int end) = Sums.InBlocksOf(i * _outSide, Math.Min((i + 1) * _outSide, Sums.OutBlocks));
            most = Math.Max(most, end - first);
        }
        _inRectangles = (most + _inSide - 1) / _inSide;
        Rectangles = outRectangles * _inRectangles;
        Count = (int)Math.Clamp(Math.Min(fewChunks / Rectangles, MostPartsBytes / (PartFloats * sizeof(float))), 1, mostParts);
    }

    public WeightSums Sums { get; }

    /// <summary>Parts of the pixels.</summary>
    public int Count { get; }

    public int Rectangles { get; }

    public int Chunks => Count * Rectangles;

    public int TilesOfRectangle => _outSide * _inSide;

    public long RectangleFloats => (long)TilesOfRectangle * Sums.TileFloats;

    public long PartFloats => Rectangles * RectangleFloats;

    /// <summary>Bytes of the sums of all parts; 0 where there is one part, which is written at once.</summary>
    public long Bytes => Count == 1 ? 0 : Count * PartFloats * sizeof(float);

    /// <summary>Products of a tap and a pixel.</summary>
    public long Products
    {
        get
        {
            long products = 0;
            for (int block = 0; block < Sums.OutBlocks; block++)
            {
                (int first, int end) = Sums.InBlocksOf(block, block + 1);
                products += (long)(end - first) * Lanes * Lanes;
            }
            return products;
        }
    }

    /// <summary>The blocks of a rectangle; none where the groups of its outputs read fewer blocks than others.</summary>
    public BlockRectangle RectangleOf(int rectangle)
    {
        int firstOut = rectangle / _inRectangles * _outSide, endOut = Math.Min(firstOut + _outSide, Sums.OutBlocks);
        (int first, int end) = Sums.InBlocksOf(firstOut, endOut);
        int firstIn = Math.Min(first + rectangle % _inRectangles * _inSide, end);
        return new(firstOut, endOut, firstIn, Math.Min(firstIn + _inSide, end));
    }

    /// <summary>Whether a group has channels in both blocks.</summary>
    public bool Share(int outBlock, int inBlock)
    {
        (int first, int end) = Sums.InBlocksOf(outBlock, outBlock + 1);
        return inBlock >= first && inBlock < end;
    }

    /// <summary>Adds up the sums of the parts, in their order, and writes dw.</summary>
    public unsafe void Reduce(float* sums, float* dw)
    {
        var job = new ReduceJob(this, sums, dw);
        Workers.Run(Rectangles * TilesOfRectangle, ref job);
    }

    /// <summary>A chunk is one tile.</summary>
    private readonly unsafe struct ReduceJob(WeightParts parts, float* all, float* dw) : IJob
    {
        public void Run(int chunk)
        {
            int rectangle = chunk / parts.TilesOfRectangle, tile = chunk % parts.TilesOfRectangle;
            BlockRectangle blocks = parts.RectangleOf(rectangle);
            if (tile >= blocks.Count) return;
            float* sums = all + parts.RectangleFloats * rectangle + (long)tile * parts.Sums.TileFloats;
            for (int part = 1; part < parts.Count; part++) WeightSums.Add(sums, sums + parts.PartFloats * part, parts.Sums.TileFloats);
            parts.Sums.Store(sums, blocks.OutBlock(tile), blocks.InBlock(tile), dw);
        }
    }
}
