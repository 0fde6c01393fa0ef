using System.Runtime.CompilerServices;
using Fewbit.Tensors.Threading;

namespace Fewbit.Tensors.Kernels;

/// <summary>The gradient in the weights of a 3x3 convolution at stride 1 by the adjoint of Winograd's transforms, on channel blocks.</summary>
/// <remarks>
/// The forward form y = A'((G w G') * (B' x B))A is linear in w; its adjoint is dw = G'((A dy A') * (B' x B))G: a quarter of the multiplications of the direct sum with F(4,3), four ninths with F(2,3).
/// The products of all tiles are summed point by point before the last transform.
/// </remarks>
internal static unsafe class WinogradBackwardWeights
{
    private const int Lanes = ChannelBlocks.Width;

    /// <summary>Whether this route exists for the forward convolution and is the faster one.</summary>
    public static bool Fits(in Conv2DShape forward)
    {
        if (!BlockedWinogradConv2D.Exists(forward)) return false;
        double direct = (double)forward.Batch * forward.OutPlane * forward.Inner * BlockedWinogradConv2D.Blocks(forward.OutChannels);
        return Math.Min(new Split<WinogradTile2>(forward).Cost, new Split<WinogradTile4>(forward).Cost) < 0.8 * direct;
    }

    /// <summary>Shared scratch that <see cref="Run(in Conv2DShape, float*, float*, float*, void*)"/> needs, aligned to 64.</summary>
    public static long ScratchBytes(in Conv2DShape forward) => UsesLargeTiles(forward) ? new Split<WinogradTile4>(forward).Parts.Bytes : new Split<WinogradTile2>(forward).Parts.Bytes;

    /// <summary>As <see cref="BlockedConvBackwardWeights.Run"/>.</summary>
    public static void Run(in Conv2DShape forward, float* x, float* dy, float* dw, void* scratch)
    {
        if (UsesLargeTiles(forward)) Run<WinogradTile4>(forward, x, dy, dw, scratch);
        else Run<WinogradTile2>(forward, x, dy, dw, scratch);
    }

    internal static long ScratchBytes<TTile>(in Conv2DShape forward) where TTile : struct, IWinogradTile => new Split<TTile>(forward).Parts.Bytes;

    /// <summary>As above, with one size of tiles.</summary>
    internal static void Run<TTile>(in Conv2DShape forward, float* x, float* dy, float* dw, void* scratch) where TTile : struct, IWinogradTile
    {
        var split = new Split<TTile>(forward);
        var job = new SumJob<TTile>(split, WinogradTiling<TTile>.Inputs(forward, x), WinogradTiling<TTile>.Outputs(forward, dy), dw, (float*)scratch);
        Workers.Run(split.Parts.Chunks, ref job);
        if (split.Parts.Count > 1) split.Parts.Reduce((float*)scratch, dw);
    }

    private static bool UsesLargeTiles(in Conv2DShape forward) => new Split<WinogradTile4>(forward).Cost <= new Split<WinogradTile2>(forward).Cost;

    /// <summary>How the tiles are split: a chunk sums a rectangle of blocks over a part of the tiles, some at a time.</summary>
    private readonly struct Split<TTile> where TTile : struct, IWinogradTile
    {
        private const int Side = 4, FewChunks = 8;
        private const int BufferBytes = 640 << 10, FewestTiles = 32, MostTiles = 96;

        public Split(in Conv2DShape forward)
        {
            Tiles = forward.Batch * WinogradTiling<TTile>.TilesOf(forward.OutHeight) * WinogradTiling<TTile>.TilesOf(forward.OutWidth);
            Parts = new(forward, Side, Side, FewChunks, Math.Max(1, Tiles / FewestTiles));
            OutSide = Math.Min(Side, Parts.Sums.OutBlocks);
            InSide = Math.Min(Side, Parts.Sums.InBlocks);
            TilesAtOnce = Math.Clamp(BufferBytes / ((OutSide + InSide) * Points * Lanes * sizeof(float)), FewestTiles, MostTiles);
        }

        public static int Points => WinogradTiling<TTile>.Points;

        public WeightParts Parts { get; }

        public int Tiles { get; }

        public int TilesAtOnce { get; }

        private int OutSide { get; }

        private int InSide { get; }

        /// <summary>From point to point of transformed squares [point][block][tile][16]: an odd number of vectors, so that the points of a tile spread over the cache.</summary>
        public int PointStep => ((Side * TilesAtOnce) | 1) * Lanes;

        public long BufferFloats => (long)Points * PointStep;

        public long SumFloats => (long)OutSide * InSide * Points * Lanes * Lanes;

        /// <summary>Vector multiplications, as many as the transforms cost included.</summary>
        public double Cost
        {
            get
            {
                double inBlocks = Parts.Sums.InBlocks, outBlocks = Parts.Sums.OutBlocks;
                double transforms = Tiles * (inBlocks * Math.Ceiling(outBlocks / OutSide) + outBlocks * Math.Ceiling(inBlocks / InSide)) * TTile.TransformCost;
                double last = inBlocks * outBlocks * Parts.Count * Points * Lanes * 6;
                return Tiles * inBlocks * outBlocks * Points * Lanes + transforms + last;
            }
        }
    }

    /// <summary>A chunk is a part of the tiles by a rectangle of blocks.</summary>
    private readonly struct SumJob<TTile>(Split<TTile> split, WinogradSquares inputs, WinogradSquares errors, float* dw, float* parts) : IJob where TTile : struct, IWinogradTile
    {
        public void Run(int chunk)
        {
            WeightParts weights = split.Parts;
            int part = chunk / weights.Rectangles, rectangle = chunk % weights.Rectangles, points = Split<TTile>.Points;
            BlockRectangle blocks = weights.RectangleOf(rectangle);
            float* x = (float*)ThreadScratch.Get((2 * split.BufferFloats + split.SumFloats + weights.Sums.TileFloats) * sizeof(float)), y = x + split.BufferFloats, sums = y + split.BufferFloats;
            new Span<float>(sums, (int)split.SumFloats).Clear();
            int end = (int)((long)split.Tiles * (part + 1) / weights.Count);
            for (int first = (int)((long)split.Tiles * part / weights.Count), count; first < end; first += count)
            {
                count = Math.Min(split.TilesAtOnce, end - first);
                inputs.Transform<WinogradInput<TTile>>(first, count, blocks.FirstIn, blocks.EndIn, x, split.PointStep);
                errors.Transform<WinogradErrors<TTile>>(first, count, blocks.FirstOut, blocks.EndOut, y, split.PointStep);
                Multiply(blocks, count, x, y, sums);
            }
            for (int i = 0; i < blocks.Count; i++)
            {
                float* tile = weights.Count == 1 ? sums + split.SumFloats : parts + weights.PartFloats * part + weights.RectangleFloats * rectangle + (long)i * weights.Sums.TileFloats;
                for (int c = 0; c < Lanes; c++) TTile.KernelGradient(sums + ((long)i * points * Lanes + c) * Lanes, Lanes * Lanes, tile + 9 * c * Lanes);
                if (weights.Count == 1) weights.Sums.Store(tile, blocks.OutBlock(i), blocks.InBlock(i), dw);
            }
        }

        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        private void Multiply(in BlockRectangle blocks, int count, float* x, float* y, float* sums)
        {
            int points = Split<TTile>.Points, inBlocks = blocks.EndIn - blocks.FirstIn;
            var products = new OuterProducts { XColumn = Lanes, Columns = count, Rows = 1, Images = 1, SumStep = Lanes };
            for (int point = 0; point < points; point++)
            {
                for (int i = 0; i < blocks.Count; i++)
                {
                    products.X = x + (long)point * split.PointStep + (long)(i % inBlocks) * count * Lanes;
                    products.Y = y + (long)point * split.PointStep + (long)(i / inBlocks) * count * Lanes;
                    products.Sums = sums + ((long)i * points + point) * Lanes * Lanes;
                    products.Add();
                }
            }
        }
    }
}
