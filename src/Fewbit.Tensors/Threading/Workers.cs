using System.Runtime.CompilerServices;

namespace Fewbit.Tensors.Threading;

/// <summary>Work that is split into numbered chunks. Chunks run in any order, on any thread.</summary>
internal interface IJob
{
    void Run(int chunk);
}

/// <summary>Fork-join: runs the chunks of one job on all threads and returns when the last is done.</summary>
/// <remarks>
/// What a chunk is must follow from shapes alone, never from the number of threads: then results do not depend on it.
/// A job started inside a chunk runs on the calling thread. Nothing is allocated.
/// </remarks>
internal static unsafe class Workers
{
    private const int SpinsBeforeSleep = 2_000;
    private const int LaneStride = 16; // two lines of the cache, so that lanes do not disturb each other
    private static readonly Lock Gate = new();
    private static Worker[] s_helpers = [];
    private static int s_threadCount = Environment.ProcessorCount;

    [ThreadStatic] private static bool t_isInside;

    // One job at a time. Each thread has a lane, a range of neighbouring chunks that it takes first: the layers of a network split alike, so a core finds in its own cache
    // what it wrote a layer before. A ticket of a lane is (generation, chunk): a late helper of an older job can never take a chunk of this one.
    private static delegate*<void*, int, void> s_body;
    private static void* s_job;
    private static int s_chunks;
    private static int s_lanes;
    private static long[] s_next = new long[LaneStride];
    private static long s_generation;
    private static int s_pending;
    private static volatile Exception? s_failure;

    /// <summary>Threads that compute, the calling one included; 1 and up.</summary>
    public static int ThreadCount
    {
        get => s_threadCount;
        set
        {
            lock (Gate) s_threadCount = Require.InRange(value, 1, 1024);
        }
    }

    /// <summary>Runs chunks 0 to <paramref name="chunks"/> - 1. The first exception of a chunk is thrown here after all others ended.</summary>
    public static void Run<TJob>(int chunks, ref TJob job) where TJob : unmanaged, IJob
    {
        if (chunks == 1 || s_threadCount == 1 || t_isInside || !Gate.TryEnter())
        {
            for (int chunk = 0; chunk < chunks; chunk++) job.Run(chunk);
            return;
        }
        try
        {
            // The job lies on this thread's stack for as long as the chunks run.
            fixed (TJob* pointer = &job) Fork(chunks, &Invoke<TJob>, pointer);
        }
        finally
        {
            Gate.Exit();
        }
    }

    private static void Invoke<TJob>(void* job, int chunk) where TJob : unmanaged, IJob => Unsafe.AsRef<TJob>(job).Run(chunk);

    private static void Fork(int chunks, delegate*<void*, int, void> body, void* job)
    {
        EnsureHelpers();
        // Closed first, so that a helper that still holds a ticket of the last job cannot exchange it while the fields change.
        long generation = ++s_generation;
        int lanes = Math.Min(s_threadCount, chunks);
        for (int lane = 0; lane < Math.Max(s_lanes, lanes); lane++) Interlocked.Exchange(ref s_next[lane * LaneStride], (generation << 32) | int.MaxValue);
        s_body = body;
        s_job = job;
        s_chunks = chunks;
        s_lanes = lanes;
        s_failure = null;
        Volatile.Write(ref s_pending, chunks);
        for (int lane = 0; lane < lanes; lane++) Interlocked.Exchange(ref s_next[lane * LaneStride], (generation << 32) | (uint)LaneStart(lane, chunks, lanes));
        for (int i = 0; i < lanes - 1; i++) s_helpers[i].Wake();
        t_isInside = true;
        Drain(0);
        t_isInside = false;
        // The other threads are at their last chunk: yielding now would hand this core to another process for a whole time slice.
        for (int spin = 0; spin < SpinsBeforeSleep && Volatile.Read(ref s_pending) != 0; spin++) Thread.SpinWait(10);
        var wait = new SpinWait();
        while (Volatile.Read(ref s_pending) != 0) wait.SpinOnce(sleep1Threshold: -1);
        if (s_failure is { } failure) System.Runtime.ExceptionServices.ExceptionDispatchInfo.Throw(failure);
    }

    private static int LaneStart(int lane, int chunks, int lanes) => (int)((long)chunks * lane / lanes);

    /// <summary>Takes chunks until none is left, those of its own lane first.</summary>
    private static void Drain(int own)
    {
        long[] next = Volatile.Read(ref s_next);
        int lanes = Math.Min(Volatile.Read(ref s_lanes), next.Length / LaneStride);
        for (int i = 0; i < lanes; i++)
        {
            while (TryTake(next, (own + i) % lanes))
            {
            }
        }
    }

    private static bool TryTake(long[] next, int lane)
    {
        ref long place = ref next[lane * LaneStride];
        long ticket = Volatile.Read(ref place);
        int chunk = (int)ticket;
        if (chunk >= LaneStart(lane + 1, Volatile.Read(ref s_chunks), Volatile.Read(ref s_lanes))) return false;
        var body = s_body;
        void* job = s_job;
        // The exchange succeeds only while the generation is the same, so body and job belong to the chunk taken.
        if (Interlocked.CompareExchange(ref place, ticket + 1, ticket) != ticket) return true;
        try
        {
            body(job, chunk);
        }
        catch (Exception exception)
        {
            s_failure ??= exception;
        }
        Interlocked.Decrement(ref s_pending);
        return true;
    }

    private static void EnsureHelpers()
    {
        if (s_helpers.Length >= s_threadCount - 1) return;
        // A late helper may still look at the old lanes: they stay closed.
        for (int lane = 0; lane < s_next.Length; lane += LaneStride) Interlocked.Exchange(ref s_next[lane], int.MaxValue);
        long[] next = new long[s_threadCount * LaneStride];
        next.AsSpan().Fill(int.MaxValue);
        Volatile.Write(ref s_next, next);
        var helpers = new Worker[s_threadCount - 1];
        s_helpers.CopyTo(helpers, 0);
        for (int i = s_helpers.Length; i < helpers.Length; i++) helpers[i] = new Worker(i);
        s_helpers = helpers;
    }

#pragma warning disable CA1001 // a worker lives as long as the process
    /// <summary>A background thread that waits a short while awake, since the next fork is usually microseconds away, then sleeps.</summary>
    private sealed class Worker
#pragma warning restore CA1001
    {
        private readonly ManualResetEventSlim _wake = new(false, 0);
        private int _tickets;

        public Worker(int index) => new Thread(() => Loop(index)) { IsBackground = true, Name = $"Fewbit worker {index}" }.Start();

        public void Wake()
        {
            Interlocked.Increment(ref _tickets);
            if (!_wake.IsSet) _wake.Set();
        }

        private void Loop(int index)
        {
            t_isInside = true;
            int seen = 0;
            while (true)
            {
                for (int spin = 0; spin < SpinsBeforeSleep && Volatile.Read(ref _tickets) == seen; spin++) Thread.SpinWait(10);
                if (Volatile.Read(ref _tickets) == seen)
                {
                    _wake.Reset();
                    if (Volatile.Read(ref _tickets) == seen) _wake.Wait();
                }
                seen = Volatile.Read(ref _tickets);
                Drain(index + 1);
            }
        }
    }
}
