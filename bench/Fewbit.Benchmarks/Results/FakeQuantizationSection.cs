using System.Globalization;
using System.Runtime.Intrinsics;
using System.Text;
using Fewbit.Tensors;
using Fewbit.Tensors.Kernels;
using Fewbit.Tensors.Threading;

namespace Fewbit.Benchmarks.Results;

/// <summary>Fake quantization of 16 M floats beside a copy of the same bytes.</summary>
internal static unsafe class FakeQuantizationSection
{
    private const int Elements = 1 << 24, Channels = 64, TurnsEach = 9;

    public static string Measure()
    {
        var text = new StringBuilder();
        text.AppendLine("16,777,216 floats from one place to another, 8 bits. Both sides split the work over the same threads and write past the caches (non-temporal stores); `Buffer.MemoryCopy` of one thread is stated beside it.").AppendLine();
        text.AppendLine("| scales | threads | copy ms | fake quantization ms | ratio | Buffer.MemoryCopy ms |");
        text.AppendLine("|---|---|---|---|---|---|");
        Tensor from = Tensor.AllocateUninitialized(ElementType.Float32, [Elements]), to = Tensor.Allocate(ElementType.Float32, [Elements]);
        var random = new SeededRandom(1);
        foreach (ref float value in from.Span<float>()) value = (float)random.NextNormal();
        FakeQuantizer.Grid[] one = [new(0.03f, -128, 127)], many = [.. Enumerable.Range(1, Channels).Select(channel => new FakeQuantizer.Grid(0.001f * channel, -128, 127))];
        foreach (int threads in (int[])[1, 2])
        {
            Workers.ThreadCount = threads;
            foreach ((string name, FakeQuantizer.Grid[] grids) in ((string, FakeQuantizer.Grid[])[])[("one", one), ($"one a channel, {Channels}", many)])
            {
                float* x = (float*)from.Address, y = (float*)to.Address;
                Comparison times = Rounds.Compare(TurnsEach, () => Rounds.Milliseconds(() => Copy(x, y)), () => Rounds.Milliseconds(() => FakeQuantizer.Run(x, y, grids.Length, Elements / grids.Length, grids)));
                double library = Rounds.Milliseconds(() => Buffer.MemoryCopy(x, y, to.ByteCount, from.ByteCount));
                string row = string.Create(CultureInfo.InvariantCulture, $"| {name} | {threads} | {times} | {library:F2} |");
                Console.WriteLine(row);
                text.AppendLine(row);
            }
        }
        Workers.ThreadCount = Environment.ProcessorCount;
        GC.KeepAlive(from);
        GC.KeepAlive(to);
        return text.ToString();
    }

    private static void Copy(float* x, float* y)
    {
        var job = new CopyJob(x, y);
        Workers.Run(Elements / CopyJob.ChunkElements, ref job);
    }

    private readonly struct CopyJob(float* x, float* y) : IJob
    {
        public const int ChunkElements = 1 << 15;

        public void Run(int chunk)
        {
            float* from = x + (long)chunk * ChunkElements, to = y + (long)chunk * ChunkElements;
            for (int i = 0; i < ChunkElements; i += 16) Vector512.Load(from + i).StoreAlignedNonTemporal(to + i);
        }
    }
}
