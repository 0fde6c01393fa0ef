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
        return IsPlain(problem, kernel) || Gemv.Fits(problem) ? 0 : new Scratch(problem, kernel).Bytes;
    }

    /// <summary>Scratch for products of these lengths, whether or not the right operand comes packed.</summary>
    public static long ScratchBytes(int m, int n, int k)
    {
        FloatKernel kernel = FloatKernel.Active;
        return Math.Max(new Scratch(kernel, m, n, k, true, true).Bytes, new Scratch(kernel, m, n, k, true, false).Bytes);
    }

    /// <summary>Computes the product on all threads.</summary>
    /// <param name="problem">The operands.</param>
    /// <param name="scratch"><see cref="ScratchBytes(in GemmProblem)"/> bytes; may be null when that is 0.</param>
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
        var plan = new Scratch(problem, kernel);
        int blocks = PackedMatrix.BlocksOf(problem.K), length = PackedMatrix.BlockLengthOf(problem.K);
        float* rightScratch = scratch + plan.LeftFloats;
        bool packsInTiles = packA && TileJob.PacksLeft(problem.M, kernel);
        for (int block = 0; block < blocks; block += plan.Blocks)
        {
            int start = Math.Min(block * length, problem.K), size = Math.Min(plan.Blocks * length, problem.K - start);
            PackedMatrix a = packA ? PackedMatrix.PartOver(PackedMatrix.Side.Left, problem.M, size, length, scratch, kernel) : problem.PackedA;
            PackedMatrix b = packB ? PackedMatrix.PartOver(PackedMatrix.Side.Right, problem.N, size, length, rightScratch, kernel) : problem.PackedB;
            PackJob left = packA ? PackJob.Of(PackedMatrix.Side.Left, a, problem.A, problem.StrideA, problem.TransposeA, start) : default;
            var pack = new PackPair(packsInTiles ? default : left, packB ? PackJob.Of(PackedMatrix.Side.Right, b, problem.B, problem.StrideB, problem.TransposeB, start) : default);
            Workers.Run(pack.Chunks, ref pack);
            var job = new TileJob(problem, kernel, a, b, block, Math.Min(block + plan.Blocks, blocks), blocks, packsInTiles ? left : default);
            Workers.Run(job.Chunks, ref job);
        }
    }

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

    /// <summary>What is packed at a time: as many blocks of the inner dimension as pass through the last-level cache.</summary>
    private readonly struct Scratch
    {
        private const long MaxFloats = 1 << 21;

        public Scratch(in GemmProblem problem, FloatKernel kernel)
            : this(kernel, problem.M, problem.N, problem.K, problem.PackedA.Data == null, problem.PackedB.Data == null)
        {
        }

        public Scratch(FloatKernel kernel, int m, int n, int k, bool packsLeft, bool packsRight)
        {
            long left = packsLeft ? (long)PackedMatrix.PanelCount(m, kernel.Rows) * kernel.Rows : 0;
            long right = packsRight ? (long)PackedMatrix.PanelCount(n, kernel.Columns) * kernel.Columns : 0;
            int length = Math.Max(1, PackedMatrix.BlockLengthOf(k)), blocks = PackedMatrix.BlocksOf(k);
            // Tiles that pack their left panels need room for one block of them.
            bool packsInTiles = packsLeft && TileJob.PacksLeft(m, kernel);
            long every = (packsInTiles ? 0 : left) + right;
            Blocks = every == 0 ? blocks : (int)Math.Clamp(MaxFloats / (every * length), 1, blocks);
            long inner = Math.Min((long)Blocks * length, Math.Max(1, k));
            LeftFloats = (left * (packsInTiles ? length : inner) + 15) / 16 * 16;
            Bytes = (LeftFloats + right * inner) * sizeof(float);
        }

        /// <summary>Blocks packed at a time; all of them where nothing is packed.</summary>
        public int Blocks { get; }

        /// <summary>Where the right operand starts.</summary>
        public long LeftFloats { get; }

        public long Bytes { get; }
    }
}
