using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace Fewbit.Tensors.Kernels;

/// <summary>The products between Winograd's transforms: m[tile, block of 16] = sum over channels of v[tile, channel] * w[channel, block of 16], for up to 12 tiles and 2 blocks.</summary>
/// <remarks>The number of tiles and blocks is a type, so that each kernel is one loop without branches whose sums stay in registers.</remarks>
internal static unsafe class WinogradProducts
{
    /// <summary>Tiles that one kernel takes at most.</summary>
    public const int MaxTiles = 12;

    /// <summary>Blocks of output channels that one kernel takes at most.</summary>
    public const int MaxBlocks = 2;

    private static readonly delegate*<in Operands, void>[] Pairs = [null, &Multiply<N1, N2>, &Multiply<N2, N2>, &Multiply<N3, N2>, &Multiply<N4, N2>, &Multiply<N5, N2>, &Multiply<N6, N2>, &Multiply<N7, N2>, &Multiply<N8, N2>, &Multiply<N9, N2>, &Multiply<N10, N2>, &Multiply<N11, N2>, &Multiply<N12, N2>];
    private static readonly delegate*<in Operands, void>[] Singles = [null, &Multiply<N1, N1>, &Multiply<N2, N1>, &Multiply<N3, N1>, &Multiply<N4, N1>, &Multiply<N5, N1>, &Multiply<N6, N1>, &Multiply<N7, N1>, &Multiply<N8, N1>, &Multiply<N9, N1>, &Multiply<N10, N1>, &Multiply<N11, N1>, &Multiply<N12, N1>];

    /// <summary>Where a kernel reads and writes; steps in floats.</summary>
    public struct Operands
    {
        /// <summary>Blocks of input channels.</summary>
        public int Blocks;

        /// <summary>[block][tile][16].</summary>
        public float* Inputs;
        public nint InputStep;

        /// <summary>[channel][block][16].</summary>
        public float* Weights;

        /// <summary>One vector for each tile and block.</summary>
        public float* Products;
        public nint TileStep, BlockStep;

        /// <summary>Whether the products are added to what is there.</summary>
        public bool Adds;
    }

    /// <summary>Multiplies all tiles at all points.</summary>
    /// <param name="points">Points of a tile.</param>
    /// <param name="inBlocks">Blocks of input channels.</param>
    /// <param name="blocks">Blocks of output channels.</param>
    /// <param name="tiles">Tiles.</param>
    /// <param name="inputs">[point][block][tile][16].</param>
    /// <param name="pointStep">From point to point of the inputs.</param>
    /// <param name="weights">[point][channel][block][16].</param>
    /// <param name="products">[block][tile][point][16].</param>
    /// <param name="adds">Whether the products are added to what is there.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void RunAll(int points, int inBlocks, int blocks, int tiles, float* inputs, nint pointStep, float* weights, float* products, bool adds)
    {
        int runs = (tiles + MaxTiles - 1) / MaxTiles;
        var operands = new Operands { Blocks = inBlocks, InputStep = tiles * 16, TileStep = points * 16, BlockStep = tiles * points * 16, Weights = weights, Adds = adds };
        for (int point = 0; point < points; point++, operands.Weights += (long)inBlocks * 16 * blocks * 16)
        {
            for (int run = 0; run < runs; run++)
            {
                int first = tiles * run / runs, end = tiles * (run + 1) / runs;
                operands.Inputs = inputs + point * pointStep + first * 16;
                operands.Products = products + (first * points + point) * 16;
                Run(end - first, blocks, operands);
            }
        }
    }

    /// <param name="tiles">1 to <see cref="MaxTiles"/>.</param>
    /// <param name="blocks">1 to <see cref="MaxBlocks"/> blocks of output channels.</param>
    /// <param name="operands">Where.</param>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Run(int tiles, int blocks, in Operands operands) => (blocks == 2 ? Pairs : Singles)[tiles](operands);

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Multiply<TTiles, TBlocks>(in Operands operands) where TTiles : ICount where TBlocks : ICount
    {
        Vector512<float> c00 = default, c01 = default, c10 = default, c11 = default, c20 = default, c21 = default, c30 = default, c31 = default, c40 = default, c41 = default, c50 = default, c51 = default;
        Vector512<float> c60 = default, c61 = default, c70 = default, c71 = default, c80 = default, c81 = default, c90 = default, c91 = default, ca0 = default, ca1 = default, cb0 = default, cb1 = default;
        float* a = operands.Inputs, w = operands.Weights;
        nint step = operands.InputStep - 16;
        if (operands.Adds)
        {
            float* from = operands.Products;
            nint tile = operands.TileStep, other = operands.BlockStep;
            Load<TBlocks>(from, other, ref c00, ref c01);
            if (TTiles.Value > 1) Load<TBlocks>(from + tile, other, ref c10, ref c11);
            if (TTiles.Value > 2) Load<TBlocks>(from + 2 * tile, other, ref c20, ref c21);
            if (TTiles.Value > 3) Load<TBlocks>(from + 3 * tile, other, ref c30, ref c31);
            if (TTiles.Value > 4) Load<TBlocks>(from + 4 * tile, other, ref c40, ref c41);
            if (TTiles.Value > 5) Load<TBlocks>(from + 5 * tile, other, ref c50, ref c51);
            if (TTiles.Value > 6) Load<TBlocks>(from + 6 * tile, other, ref c60, ref c61);
            if (TTiles.Value > 7) Load<TBlocks>(from + 7 * tile, other, ref c70, ref c71);
            if (TTiles.Value > 8) Load<TBlocks>(from + 8 * tile, other, ref c80, ref c81);
            if (TTiles.Value > 9) Load<TBlocks>(from + 9 * tile, other, ref c90, ref c91);
            if (TTiles.Value > 10) Load<TBlocks>(from + 10 * tile, other, ref ca0, ref ca1);
            if (TTiles.Value > 11) Load<TBlocks>(from + 11 * tile, other, ref cb0, ref cb1);
        }
        for (int block = operands.Blocks; block > 0; block--, a += step)
        {
            for (float* end = a + 16; a < end; a++, w += 16 * TBlocks.Value)
            {
                Vector512<float> w0 = Vector512.Load(w), w1 = TBlocks.Value > 1 ? Vector512.Load(w + 16) : default;
                Add<TBlocks>(a, w0, w1, ref c00, ref c01);
                if (TTiles.Value > 1) Add<TBlocks>(a + 16, w0, w1, ref c10, ref c11);
                if (TTiles.Value > 2) Add<TBlocks>(a + 32, w0, w1, ref c20, ref c21);
                if (TTiles.Value > 3) Add<TBlocks>(a + 48, w0, w1, ref c30, ref c31);
                if (TTiles.Value > 4) Add<TBlocks>(a + 64, w0, w1, ref c40, ref c41);
                if (TTiles.Value > 5) Add<TBlocks>(a + 80, w0, w1, ref c50, ref c51);
                if (TTiles.Value > 6) Add<TBlocks>(a + 96, w0, w1, ref c60, ref c61);
                if (TTiles.Value > 7) Add<TBlocks>(a + 112, w0, w1, ref c70, ref c71);
                if (TTiles.Value > 8) Add<TBlocks>(a + 128, w0, w1, ref c80, ref c81);
                if (TTiles.Value > 9) Add<TBlocks>(a + 144, w0, w1, ref c90, ref c91);
                if (TTiles.Value > 10) Add<TBlocks>(a + 160, w0, w1, ref ca0, ref ca1);
                if (TTiles.Value > 11) Add<TBlocks>(a + 176, w0, w1, ref cb0, ref cb1);
            }
        }
        float* to = operands.Products;
        nint next = operands.TileStep, second = operands.BlockStep;
        Store<TBlocks>(to, second, c00, c01);
        if (TTiles.Value > 1) Store<TBlocks>(to + next, second, c10, c11);
        if (TTiles.Value > 2) Store<TBlocks>(to + 2 * next, second, c20, c21);
        if (TTiles.Value > 3) Store<TBlocks>(to + 3 * next, second, c30, c31);
        if (TTiles.Value > 4) Store<TBlocks>(to + 4 * next, second, c40, c41);
        if (TTiles.Value > 5) Store<TBlocks>(to + 5 * next, second, c50, c51);
        if (TTiles.Value > 6) Store<TBlocks>(to + 6 * next, second, c60, c61);
        if (TTiles.Value > 7) Store<TBlocks>(to + 7 * next, second, c70, c71);
        if (TTiles.Value > 8) Store<TBlocks>(to + 8 * next, second, c80, c81);
        if (TTiles.Value > 9) Store<TBlocks>(to + 9 * next, second, c90, c91);
        if (TTiles.Value > 10) Store<TBlocks>(to + 10 * next, second, ca0, ca1);
        if (TTiles.Value > 11) Store<TBlocks>(to + 11 * next, second, cb0, cb1);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Add<TBlocks>(float* a, Vector512<float> w0, Vector512<float> w1, ref Vector512<float> c0, ref Vector512<float> c1) where TBlocks : ICount
    {
        var x = Vector512.Create(*a);
        c0 = Avx512F.FusedMultiplyAdd(x, w0, c0);
        if (TBlocks.Value > 1) c1 = Avx512F.FusedMultiplyAdd(x, w1, c1);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Load<TBlocks>(float* from, nint second, ref Vector512<float> c0, ref Vector512<float> c1) where TBlocks : ICount
    {
        c0 = Vector512.Load(from);
        if (TBlocks.Value > 1) c1 = Vector512.Load(from + second);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Store<TBlocks>(float* to, nint second, Vector512<float> c0, Vector512<float> c1) where TBlocks : ICount
    {
        c0.Store(to);
        if (TBlocks.Value > 1) c1.Store(to + second);
    }
}
