using Fewbit.Tensors.Threading;

namespace Fewbit.Tensors.Tests.Threading;

[Collection("threads")]
public sealed unsafe class WorkersTests
{
    private struct Mark : IJob
    {
        public int* Counts;

        public readonly void Run(int chunk) => Interlocked.Increment(ref Counts[chunk]);
    }

    private struct Fail : IJob
    {
        public int At;

        public readonly void Run(int chunk)
        {
            if (chunk == At) throw new InvalidDataException($"chunk {chunk}");
        }
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(5)]
    public void Run_ManyJobs_RunsEachChunkOnce(int threads)
    {
        int before = Workers.ThreadCount;
        Workers.ThreadCount = threads;
        try
        {
            int* counts = stackalloc int[64];
            for (int round = 0; round < 3_000; round++)
            {
                int chunks = 1 + round % 64;
                new Span<int>(counts, 64).Clear();
                var job = new Mark { Counts = counts };
                Workers.Run(chunks, ref job);
                for (int chunk = 0; chunk < 64; chunk++) Assert.Equal(chunk < chunks ? 1 : 0, counts[chunk]);
            }
        }
        finally
        {
            Workers.ThreadCount = before;
        }
    }

    [Fact]
    public void Run_ThreadsComeAndGo_RunsEachChunkOnce()
    {
        int before = Workers.ThreadCount;
        int* counts = stackalloc int[64];
        try
        {
            for (int round = 0; round < 3_000; round++)
            {
                Workers.ThreadCount = 1 + (round < 1_500 ? round / 150 : round * 7 % 13);
                new Span<int>(counts, 64).Clear();
                var job = new Mark { Counts = counts };
                Workers.Run(64, ref job);
                Assert.False(new Span<int>(counts, 64).ContainsAnyExcept(1));
            }
        }
        finally
        {
            Workers.ThreadCount = before;
        }
    }

    [Fact]
    public void Run_ChunkThrows_ThrowsAfterAllEnded()
    {
        var job = new Fail { At = 3 };
        Assert.Equal("chunk 3", Assert.Throws<InvalidDataException>(() =>
        {
            var copy = job;
            Workers.Run(8, ref copy);
        }).Message);
    }
}
