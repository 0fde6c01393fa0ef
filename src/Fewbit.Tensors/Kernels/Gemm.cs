using Fewbit.Tensors.Threading;

namespace Fewbit.Tensors.Kernels;

/// <summary>C[M, N] = epilogue(Alpha * op(A)[M, K] * op(B)[K, N] + Beta * C), row-major, strides in elements.</summary>
/// <remarks>An operand comes plain (pointer, stride, transposed or not) or packed. With Beta = 0, C is not read.</remarks>
internal unsafe struct GemmProblem
{
    public GemmProblem(int m, int n, int k)
    {
        (M, N, K) = (m, n, k);
        Alpha = 1;
    }

    public int M, N, K;
    public float Alpha, Beta;
    public float* A;
    public int StrideA;
    public bool TransposeA;
    public float* B;
    public int StrideB;
    public bool TransposeB;
    public float* C;
    public int StrideC;

    /// <summary>Used instead of <see cref="A"/> when its data is not null.</summary>
    public PackedMatrix PackedA;

    /// <summary>Used instead of <see cref="B"/> when its data is not null.</summary>
    public PackedMatrix PackedB;

    public Epilogue Epilogue;

    /// <summary>A problem with dense operands: the strides are the row lengths of the stored matrices.</summary>
    public static GemmProblem Dense(int m, int n, int k, float* a, float* b, float* c, bool transposeA = false, bool transposeB = false) => new(m, n, k)
    {
        A = a,
        StrideA = transposeA ? m : k,
        TransposeA = transposeA,
        B = b,
        StrideB = transposeB ? k : n,
        TransposeB = transposeB,
        C = c,
        StrideC = n,
    };

    public readonly float AtA(int row, int p) => TransposeA ? A[(long)p * StrideA + row] : A[(long)row * StrideA + p];

    public readonly float AtB(int p, int column) => TransposeB ? B[(long)column * StrideB + p] : B[(long)p * StrideB + column];
}

/// <summary>Float matrix products.</summary>
internal static unsafe class Gemm
{
    /// <summary>Scratch that <see cref="Run"/> needs, aligned to 64; 0 when both operands are packed or one is a vector.</summary>
    public static long ScratchBytes(in GemmProblem problem)
    {
        FloatKernel kernel = FloatKernel.Active;
        if (IsPlain(problem, kernel) || Gemv.Fits(problem)) return 0;
        int block = Math.Max(1, PackedMatrix.BlockLengthOf(problem.K));
        long left = problem.PackedA.Data != null ? 0 : (long)PackedMatrix.PanelCount(problem.M, kernel.Rows) * kernel.Rows * block;
        long right = problem.PackedB.Data != null ? 0 : (long)PackedMatrix.PanelCount(problem.N, kernel.Columns) * kernel.Columns * block;
        return (RoundUp(left) + right) * sizeof(float);
    }

    /// <summary>Computes the product on all threads.</summary>
    /// <param name="problem">The operands.</param>
    /// <param name="scratch"><see cref="ScratchBytes"/> bytes; may be null when that is 0.</param>
    public static void Run(in GemmProblem problem, void* scratch)
    {
        if (problem.M == 0 || problem.N == 0) return;
        FloatKernel kernel = FloatKernel.Active;
        if (IsPlain(problem, kernel)) Reference(problem);
        else if (Gemv.Fits(problem)) Gemv.Run(problem);
        else RunBlocked(problem, kernel, (float*)scratch);
    }

    /// <summary>The same product for many operands at constant distances; each product is one piece of work when there are many.</summary>
    /// <param name="problem">The first product.</param>
    /// <param name="count">How many.</param>
    /// <param name="stepA">Elements from one A to the next (0: shared).</param>
    /// <param name="stepB">Elements from one B to the next (0: shared).</param>
    /// <param name="stepC">Elements from one C to the next.</param>
    /// <param name="scratch">Scratch of the first product.</param>
    public static void RunBatched(in GemmProblem problem, int count, long stepA, long stepB, long stepC, void* scratch)
    {
        if (count >= 4 && (long)problem.M * problem.N * problem.K < 1 << 24)
        {
            var job = new BatchJob(problem, stepA, stepB, stepC);
            Workers.Run(count, ref job);
            return;
        }
        for (int i = 0; i < count; i++)
        {
            GemmProblem one = Step(problem, i, stepA, stepB, stepC);
            Run(one, scratch);
        }
    }

    /// <summary>The product by its definition, sums in double precision.</summary>
    public static void Reference(in GemmProblem problem)
    {
        for (int i = 0; i < problem.M; i++)
        {
            for (int j = 0; j < problem.N; j++)
            {
                double sum = 0;
                for (int p = 0; p < problem.K; p++) sum += (double)problem.AtA(i, p) * problem.AtB(p, j);
                long at = (long)i * problem.StrideC + j;
                double value = problem.Alpha * sum;
                if (problem.Beta != 0) value += (double)problem.Beta * problem.C[at];
                if (problem.Epilogue.RowBias != null) value += problem.Epilogue.RowBias[i];
                if (problem.Epilogue.ColumnBias != null) value += problem.Epilogue.ColumnBias[j];
                if (problem.Epilogue.Residual != null) value += problem.Epilogue.Residual[at];
                problem.C[at] = problem.Epilogue.Activation.Apply((float)value);
            }
        }
    }

    private static bool IsPlain(in GemmProblem problem, FloatKernel kernel) =>
        kernel.Path == KernelPath.Scalar && problem.PackedA.Data == null && problem.PackedB.Data == null;

    private static void RunBlocked(in GemmProblem problem, FloatKernel kernel, float* scratch)
    {
        bool packA = problem.PackedA.Data == null, packB = problem.PackedB.Data == null;
        if ((!packA && problem.PackedA.Path != kernel.Path) || (!packB && problem.PackedB.Path != kernel.Path))
            throw new InvalidOperationException($"Bug in the caller: a matrix was packed for another kernel path than '{kernel.Path}'");
        int blocks = PackedMatrix.BlocksOf(problem.K), length = PackedMatrix.BlockLengthOf(problem.K);
        float* rightScratch = scratch + (packA ? RoundUp((long)PackedMatrix.PanelCount(problem.M, kernel.Rows) * kernel.Rows * Math.Max(1, length)) : 0);
        if (!packA && !packB)
        {
            var whole = new TileJob(problem, kernel, problem.PackedA, problem.PackedB, 0, blocks, blocks);
            Workers.Run(whole.Chunks, ref whole);
            return;
        }
        for (int block = 0; block < blocks; block++)
        {
            int start = Math.Min(block * length, problem.K), size = Math.Min(length, problem.K - start);
            var a = packA ? PackBlock(PackedMatrix.Side.Left, kernel, problem.A, problem.StrideA, problem.TransposeA, problem.M, start, size, scratch) : problem.PackedA;
            var b = packB ? PackBlock(PackedMatrix.Side.Right, kernel, problem.B, problem.StrideB, problem.TransposeB, problem.N, start, size, rightScratch) : problem.PackedB;
            var job = new TileJob(problem, kernel, a, b, block, block + 1, blocks);
            Workers.Run(job.Chunks, ref job);
        }
    }

    private static PackedMatrix PackBlock(PackedMatrix.Side side, FloatKernel kernel, float* source, int stride, bool transposed, int outer, int start, int size, float* to)
    {
        bool contiguous = PackedMatrix.InnerIsContiguous(side, transposed);
        PackedMatrix packed = PackedMatrix.Over(side, outer, size, to, kernel);
        var job = new PackJob(packed, source + (contiguous ? start : (long)start * stride), stride, contiguous, 0, 1);
        Workers.Run(job.Chunks, ref job);
        return packed;
    }

    private static long RoundUp(long floats) => (floats + 15) / 16 * 16;

    private static GemmProblem Step(in GemmProblem problem, int i, long stepA, long stepB, long stepC)
    {
        GemmProblem one = problem;
        one.A += i * stepA;
        one.B += i * stepB;
        one.C += i * stepC;
        if (one.Epilogue.Residual != null) one.Epilogue.Residual += i * stepC;
        return one;
    }

    private readonly struct BatchJob(GemmProblem problem, long stepA, long stepB, long stepC) : IJob
    {
        public void Run(int chunk)
        {
            GemmProblem one = Step(problem, chunk, stepA, stepB, stepC);
            Gemm.Run(one, ThreadScratch.Get(ScratchBytes(one)));
        }
    }
}

/// <summary>Multiplies packed panels; a chunk is a rectangle of C. Operands packed for one block only hold it as their block 0.</summary>
internal readonly unsafe struct TileJob : IJob
{
    private const int MaxRowPanels = 12;
    private const long ChunkWork = 1 << 20; // multiply-adds: tens of microseconds

    private readonly GemmProblem _problem;
    private readonly FloatKernel _kernel;
    private readonly PackedMatrix _a, _b;
    private readonly int _firstBlock, _endBlock, _blocks, _rowPanels, _columnPanels;

    public TileJob(in GemmProblem problem, FloatKernel kernel, PackedMatrix a, PackedMatrix b, int firstBlock, int endBlock, int blocks)
    {
        (_problem, _kernel, _a, _b, _firstBlock, _endBlock, _blocks) = (problem, kernel, a, b, firstBlock, endBlock, blocks);
        _rowPanels = Math.Min(a.PanelTotal, MaxRowPanels);
        long panelWork = (long)_rowPanels * kernel.Rows * kernel.Columns * Math.Max(1, PackedMatrix.BlockLengthOf(problem.K)) * (endBlock - firstBlock);
        _columnPanels = (int)Math.Clamp((ChunkWork + panelWork - 1) / panelWork, 1, b.PanelTotal);
    }

    private int ColumnChunks => (_b.PanelTotal + _columnPanels - 1) / _columnPanels;

    public int Chunks => (_a.PanelTotal + _rowPanels - 1) / _rowPanels * ColumnChunks;

    public void Run(int chunk)
    {
        int firstRow = chunk / ColumnChunks * _rowPanels, endRow = Math.Min(firstRow + _rowPanels, _a.PanelTotal);
        int firstColumn = chunk % ColumnChunks * _columnPanels, endColumn = Math.Min(firstColumn + _columnPanels, _b.PanelTotal);
        var store = new TileStore(_problem.C, _problem.StrideC, _problem.Alpha, _problem.Beta, _problem.Epilogue);
        int* offsets = _kernel.PanelOffsets;
        float* tile = stackalloc float[_kernel.Rows * _kernel.Columns + 16];
        tile = (float*)(((nint)tile + 63) & ~63);
        for (int block = _firstBlock; block < _endBlock; block++)
        {
            int blockA = _a.Inner == _problem.K ? block : 0, blockB = _b.Inner == _problem.K ? block : 0;
            int length = _a.BlockSize(blockA);
            for (int column = firstColumn; column < endColumn; column++)
            {
                float* right = _b.PanelAt(blockB, column);
                for (int row = firstRow; row < endRow; row++)
                {
                    int rows = Math.Min(_kernel.Rows, _problem.M - row * _kernel.Rows), columns = Math.Min(_kernel.Columns, _problem.N - column * _kernel.Columns);
                    _kernel.Body(length, _a.PanelAt(blockA, row), right, offsets, tile, rows, columns, false);
                    store.Write(tile, _kernel.Columns, row * _kernel.Rows, column * _kernel.Columns, rows, columns, block == 0, block == _blocks - 1);
                }
            }
        }
    }
}
