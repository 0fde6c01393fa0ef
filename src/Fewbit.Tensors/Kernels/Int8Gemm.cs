using System.Runtime.CompilerServices;
using Fewbit.Tensors.Threading;

namespace Fewbit.Tensors.Kernels;

/// <summary>C[M, N] = requantize(sum over k of (A[m, k] - zA) * (B[k, n] - zB[n])): 8-bit activations times packed 8-bit weights.</summary>
internal unsafe struct Int8GemmProblem
{
    public int M, N, K;
    public byte* A;

    /// <summary>Bytes from one row of A to the next.</summary>
    public int StrideA;

    public Int8Input Input;

    /// <summary>From <see cref="Int8Gemm.PackWeights"/>.</summary>
    public void* PackedB;

    public Requantization Target;
    public void* C;

    /// <summary>Elements from one row of C to the next.</summary>
    public int StrideC;
}

/// <summary>8-bit matrix products, exact in int32.</summary>
internal static unsafe class Int8Gemm
{
    public static long PackedWeightBytes(int n, int k) => PackedInt8.Bytes(n, k, 1, Int8Kernel.Active.Columns);

    /// <summary>Packs B [K, N], or [N, K] when <paramref name="transposed"/>, for many runs.</summary>
    /// <param name="weights">The data, its type and zero points (per column of op(B)); strides are set here.</param>
    /// <param name="stride">Elements from one stored row to the next.</param>
    /// <param name="transposed">Whether B is stored [N, K].</param>
    /// <param name="n">Columns of op(B).</param>
    /// <param name="k">Rows of op(B).</param>
    /// <param name="packed"><see cref="PackedWeightBytes"/> bytes.</param>
    public static void PackWeights(Int8Weights weights, int stride, bool transposed, int n, int k, void* packed)
    {
        (weights.OuterStride, weights.ChannelStride) = transposed ? (stride, 1) : (1, stride);
        Int8Kernel kernel = Int8Kernel.Active;
        PackedInt8.Pack(weights, n, k, 1, kernel.Columns, kernel.Path, packed);
    }

    public static long ScratchBytes(int m, int n, int k)
    {
        Int8Kernel kernel = Int8Kernel.Active;
        return OffsetBytes(n) + (m + kernel.Rows - 1L) / kernel.Rows * kernel.Rows * ((k + 3) / 4) * 4;
    }

    public static void Run(in Int8GemmProblem problem, void* scratch)
    {
        if (problem.M == 0 || problem.N == 0) return;
        Int8Kernel kernel = Int8Kernel.Active;
        PackedInt8 weights = PackedInt8.Over(problem.PackedB, problem.N, problem.K, 1, kernel.Columns, kernel.Path);
        Offsets(weights, problem.Input, problem.Target.Bias, (int*)scratch);
        byte* left = (byte*)scratch + OffsetBytes(problem.N);
        var pack = new PackJob(problem, kernel.Rows, left);
        Workers.Run((problem.M + kernel.Rows - 1) / kernel.Rows, ref pack);
        var job = new TileJob8(problem, kernel, weights, (int*)scratch, left);
        Workers.Run(job.Chunks, ref job);
    }

    /// <summary>By its definition; weights as the model stores them, strides set by the caller.</summary>
    public static void Reference(in Int8GemmProblem problem, in Int8Weights weights)
    {
        var write = new Requantizer(problem.Target);
        for (int i = 0; i < problem.M; i++)
        {
            for (int j = 0; j < problem.N; j++)
            {
                int sum = 0;
                for (int p = 0; p < problem.K; p++) sum += Value(problem.A[(long)i * problem.StrideA + p], problem.Input) * Value(weights, j, p, 0);
                int bias = problem.Target.Bias == null ? 0 : problem.Target.Bias[j];
                write.Row(&sum, 1, bias, j, (byte*)problem.C + ((long)i * problem.StrideC + j) * problem.Target.ElementBytes);
            }
        }
    }

    internal static int Value(byte code, Int8Input input) => (input.IsSigned ? (sbyte)code : code) - input.ZeroPoint;

    internal static int Value(in Int8Weights weights, int outer, int channel, int tap)
    {
        byte code = weights.Data[outer * weights.OuterStride + channel * weights.ChannelStride + tap];
        return (weights.IsSigned ? (sbyte)code : code - 128) - weights.ZeroPointOf(outer);
    }

    internal static long OffsetBytes(int outer) => (outer * (long)sizeof(int) + 63) / 64 * 64;

    /// <summary>What is added to each channel's sum: bias and the constant parts of the zero-point correction.</summary>
    internal static void Offsets(in PackedInt8 weights, Int8Input input, int* bias, int* offsets)
    {
        int zero = input.StoredZeroPoint, count = weights.Channels * weights.Taps;
        for (int o = 0; o < weights.Outer; o++)
            offsets[o] = unchecked((bias == null ? 0 : bias[o]) - zero * weights.Sums[o] + count * zero * weights.ZeroPoints[o]);
    }

    /// <summary>A chunk is one panel of rows of A.</summary>
    private readonly struct PackJob(Int8GemmProblem problem, int panel, byte* left) : IJob
    {
        public void Run(int chunk)
        {
            int words = (problem.K + 3) / 4, whole = problem.K / 4, rows = Math.Min(panel, problem.M - chunk * panel);
            uint flip = problem.Input.Flip;
            for (int r = 0; r < panel; r++)
            {
                uint* to = (uint*)left + (long)chunk * words * panel + r;
                uint* from = (uint*)(problem.A + ((long)chunk * panel + r) * problem.StrideA);
                for (int p = 0; p < whole; p++) to[(long)p * panel] = r < rows ? Unsafe.ReadUnaligned<uint>(from + p) ^ flip : 0;
                if (whole == words) continue;
                uint last = 0;
                for (int j = 0; j < problem.K % 4 && r < rows; j++) last |= (uint)(((byte*)(from + whole))[j] ^ (byte)flip) << (8 * j);
                to[(long)whole * panel] = last;
            }
        }
    }

    /// <summary>A chunk is a rectangle of C.</summary>
    private readonly struct TileJob8(Int8GemmProblem problem, Int8Kernel kernel, PackedInt8 weights, int* offsets, byte* left) : IJob
    {
        private const int MaxRowPanels = 12;
        private const long ChunkWork = 1 << 22;
        private readonly int _rowPanels = Math.Min((problem.M + kernel.Rows - 1) / kernel.Rows, MaxRowPanels);

        private int ColumnPanels => (int)Math.Clamp(ChunkWork / (4L * _rowPanels * kernel.Rows * kernel.Columns * Math.Max(1, weights.Words)), 1, weights.PanelTotal);

        private int ColumnChunks => (weights.PanelTotal + ColumnPanels - 1) / ColumnPanels;

        public int Chunks => ((problem.M + kernel.Rows - 1) / kernel.Rows + _rowPanels - 1) / _rowPanels * ColumnChunks;

        public void Run(int chunk)
        {
            int first = chunk / ColumnChunks * _rowPanels, end = Math.Min(first + _rowPanels, (problem.M + kernel.Rows - 1) / kernel.Rows);
            int firstColumn = chunk % ColumnChunks * ColumnPanels, endColumn = Math.Min(firstColumn + ColumnPanels, weights.PanelTotal);
            int* tile = stackalloc int[2 * kernel.Rows * kernel.Columns + 16];
            tile = (int*)(((nint)tile + 63) & ~63);
            int* rowSums = tile + kernel.Rows * kernel.Columns;
            for (int row = first; row < end; row++)
            {
                int rows = Math.Min(kernel.Rows, problem.M - row * kernel.Rows);
                byte* a = left + 4L * row * weights.Words * kernel.Rows;
                if (weights.HasZeroPoints) kernel.SignedRight(weights.Words, a, weights.Ones, rowSums, rows);
                for (int column = firstColumn; column < endColumn; column++)
                {
                    kernel.SignedRight(weights.Words, a, weights.PanelAt(column), tile, rows);
                    Write(tile, rowSums, row * kernel.Rows, column * kernel.Columns, rows);
                }
            }
        }

        private void Write(int* tile, int* rowSums, int row, int column, int rows)
        {
            int columns = Math.Min(kernel.Columns, problem.N - column);
            var write = new Requantizer(problem.Target);
            for (int r = 0; r < rows; r++, tile += kernel.Columns, rowSums += kernel.Columns)
            {
                if (weights.HasZeroPoints)
                    for (int i = 0; i < columns; i++) tile[i] -= weights.ZeroPoints[column + i] * rowSums[0];
                write.Column(tile, columns, offsets + column, column, (byte*)problem.C + ((long)(row + r) * problem.StrideC + column) * problem.Target.ElementBytes);
            }
        }
    }
}
