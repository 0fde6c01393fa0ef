using System.Diagnostics;
using System.Globalization;
using System.Runtime.InteropServices;
using Fewbit.Tensors;
using Fewbit.Tensors.Kernels;
using Fewbit.Tensors.Threading;

namespace Fewbit.Benchmarks.Results;

/// <summary>Float matrix products beside OpenBLAS, turn about in one process: <c>gemm-results [square|shapes] [threads]</c> prints the tables.</summary>
/// <remarks>
/// A time ratio is the median over rounds of our time divided by OpenBLAS's; lower is better. Beside it stands the ratio of the shortest times:
/// where other programs share the cores, they lengthen both sides at random, and two threads that wait for each other most.
/// </remarks>
internal static unsafe class GemmResults
{
    private const int Rounds = 11;
    private const double WorkPerTurn = 1.2e9; // multiply-adds: about 20 ms

    private static readonly Case[] Squares =
        [new("512", 512, 512, 512), new("768", 768, 768, 768), new("1000", 1000, 1000, 1000), new("1024", 1024, 1024, 1024), new("1536", 1536, 1536, 1536), new("2048", 2048, 2048, 2048)];

    private static readonly Case[] Shapes =
    [
        new("1024 cubed, A transposed", 1024, 1024, 1024, TransposeA: true),
        new("1024 cubed, B transposed", 1024, 1024, 1024, TransposeB: true),
        new("1024 cubed, both transposed", 1024, 1024, 1024, true, true),
        new("769 x 577 x 1153", 769, 577, 1153),
        new("129 x 515 x 67", 129, 515, 67),
        new("1 x 2048 x 2048", 1, 2048, 2048),
        new("1 x 2048 x 2048, B transposed", 1, 2048, 2048, TransposeB: true),
        new("8 x 1024 x 1024", 8, 1024, 1024),
        new("32 x 1024 x 1024", 32, 1024, 1024),
        new("256 x 384 x 384", 256, 384, 384),
        new("256 x 1536 x 384", 256, 1536, 384),
        new("256 x 384 x 1536", 256, 384, 1536),
        new("4096 x 1024 x 256", 4096, 1024, 256),
        new("4096 x 256 x 1024", 4096, 256, 1024),
        new("4096 x 256 x 1024, B transposed", 4096, 256, 1024, TransposeB: true),
        new("1024 x 256 x 4096, A transposed", 1024, 256, 4096, TransposeA: true),
        new("256 x 1024 x 4096, A transposed", 256, 1024, 4096, TransposeA: true),
        new("12 heads, 256 x 64 x 256", 256, 64, 256, Count: 12),
        new("12 heads, 256 x 256 x 64, B transposed", 256, 256, 64, TransposeB: true, Count: 12),
    ];

    private sealed record Case(string Name, int M, int N, int K, bool TransposeA = false, bool TransposeB = false, int Count = 1)
    {
        public double Work => (double)M * N * K * Count;
    }

    /// <summary>The table of square products.</summary>
    public static string Measure()
    {
        using var text = new StringWriter();
        Write([], text);
        return text.ToString();
    }

    public static void Run(string[] arguments) => Write(arguments, Console.Out);

    private static void Write(string[] arguments, TextWriter output)
    {
        OpenBlas openBlas = OpenBlas.Open();
        string which = arguments.Length > 0 ? arguments[0] : "square";
        int[] threadCounts = arguments.Length > 1 ? [int.Parse(arguments[1], CultureInfo.InvariantCulture)] : [1, 2];
        output.WriteLine($"{Machine.Processor}; kernels: {KernelPaths.Active}; {openBlas.Description}");
        output.WriteLine(string.Create(CultureInfo.InvariantCulture, $"A copy of 256 MB moves {CopyBandwidth():F1} GB/s on one thread (read and written bytes)."));
        output.WriteLine("GFLOP/s at the shortest time; packed: B packed beforehand. Ratios: the median over rounds of our time to OpenBLAS's, in brackets that of the shortest times.");
        output.WriteLine();
        output.WriteLine("| product (M x N x K) | threads | OpenBLAS | Fewbit | Fewbit packed | time ratio (of shortest) | packed |");
        output.WriteLine("|---|---|---|---|---|---|---|");
        foreach (Case product in which == "shapes" ? Shapes : Squares)
        {
            foreach (int threads in threadCounts) output.WriteLine(Row(openBlas, product, threads));
        }
    }

    private static string Row(OpenBlas openBlas, Case product, int threads)
    {
        (int m, int n, int k) = (product.M, product.N, product.K);
        using var routes = new Routes(openBlas, product);
        Workers.ThreadCount = threads;
        openBlas.SetThreads(threads);
        int repeats = (int)Math.Clamp(WorkPerTurn / product.Work, 1, 2000);
        Action[] actions = product.Count == 1 ? [routes.Theirs, routes.Ours, routes.Packed] : [routes.Theirs, routes.Ours];
        var times = actions.Select(_ => new double[Rounds]).ToArray();
        for (int round = -3; round < Rounds; round++)
        {
            for (int i = 0; i < actions.Length; i++)
            {
                actions[i]();
                long start = Stopwatch.GetTimestamp();
                for (int r = 0; r < repeats; r++) actions[i]();
                if (round >= 0) times[i][round] = Stopwatch.GetElapsedTime(start).TotalSeconds / repeats;
            }
        }
        string Speed(int i) => i < times.Length ? string.Create(CultureInfo.InvariantCulture, $"{2e-9 * product.Work / times[i].Min():F1}") : "–";
        string Ratio(int i) => i < times.Length ? string.Create(CultureInfo.InvariantCulture, $"{Median([.. times[i].Zip(times[0], (ours, theirs) => ours / theirs)]):F2} ({times[i].Min() / times[0].Min():F2})") : "–";
        return $"| {product.Name} | {threads} | {Speed(0)} | {Speed(1)} | {Speed(2)} | {Ratio(1)} | {Ratio(2)} |";
    }

    private static double Median(double[] values) => values.Order().ElementAt(values.Length / 2);

    private static double CopyBandwidth()
    {
        const int bytes = 128 << 20;
        using var from = new Buffer(bytes / sizeof(float));
        using var to = new Buffer(bytes / sizeof(float));
        double[] times = new double[9];
        for (int i = 0; i < times.Length; i++)
        {
            long start = Stopwatch.GetTimestamp();
            System.Buffer.MemoryCopy(from.Pointer, to.Pointer, bytes, bytes);
            times[i] = Stopwatch.GetElapsedTime(start).TotalSeconds;
        }
        return 2e-9 * bytes / Median(times);
    }

    /// <summary>One product on the same operands by each library.</summary>
    private sealed class Routes : IDisposable
    {
        private readonly OpenBlas _openBlas;
        private readonly Case _case;
        private readonly Buffer _a, _b, _c, _packed, _scratch;
        private readonly GemmProblem _problem;
        private readonly PackedMatrix _packedB;

        public Routes(OpenBlas openBlas, Case product)
        {
            (_openBlas, _case) = (openBlas, product);
            (int m, int n, int k, int count) = (product.M, product.N, product.K, product.Count);
            (_a, _b, _c) = (new((long)m * k * count), new((long)k * n * count), new((long)m * n * count));
            _problem = GemmProblem.Dense(m, n, k, _a.Pointer, _b.Pointer, _c.Pointer, product.TransposeA, product.TransposeB);
            _packed = new(PackedMatrix.Bytes(PackedMatrix.Side.Right, n, k) / sizeof(float));
            _packedB = PackedMatrix.Pack(PackedMatrix.Side.Right, _b.Pointer, _problem.StrideB, product.TransposeB, n, k, _packed.Pointer);
            _scratch = new(Math.Max(Gemm.ScratchBytes(_problem), Gemm.ScratchBytes(WithPackedB())) / sizeof(float) + 16);
        }

        public void Theirs()
        {
            (int m, int n, int k) = (_case.M, _case.N, _case.K);
            for (long i = 0; i < _case.Count; i++) _openBlas.Multiply(m, n, k, _a.Pointer + i * m * k, _case.TransposeA, _b.Pointer + i * k * n, _case.TransposeB, _c.Pointer + i * m * n);
        }

        public void Ours()
        {
            (long m, long n, long k) = (_case.M, _case.N, _case.K);
            if (_case.Count == 1) Gemm.Run(_problem, _scratch.Pointer);
            else Gemm.RunBatched(_problem, _case.Count, m * k, k * n, m * n, _scratch.Pointer);
        }

        public void Packed() => Gemm.Run(WithPackedB(), _scratch.Pointer);

        private GemmProblem WithPackedB()
        {
            GemmProblem problem = _problem;
            problem.PackedB = _packedB;
            return problem;
        }

        public void Dispose()
        {
            foreach (Buffer buffer in (Buffer[])[_a, _b, _c, _packed, _scratch]) buffer.Dispose();
        }
    }

    /// <summary>Aligned memory of random numbers.</summary>
    private sealed class Buffer : IDisposable
    {
        public Buffer(long floats)
        {
            Pointer = (float*)NativeMemory.AlignedAlloc((nuint)floats * sizeof(float), 64);
            var random = new SeededRandom(1);
            for (long i = 0; i < floats; i++) Pointer[i] = (float)random.NextDouble() - 0.5f;
        }

        public float* Pointer { get; }

        public void Dispose() => NativeMemory.AlignedFree(Pointer);
    }
}
