using Fewbit.Tensors;
using Fewbit.Tensors.Threading;

namespace Fewbit.Graphs.Operators.Reductions;

/// <summary>How elements become one result.</summary>
/// <typeparam name="T">Type of an element and of a result.</typeparam>
/// <typeparam name="TState">What is known after some of the elements.</typeparam>
internal unsafe interface IReducer<T, TState> where T : unmanaged where TState : unmanaged
{
    /// <summary>The state before the first element.</summary>
    static abstract TState Start { get; }

    static abstract TState Add(TState state, T x);

    /// <summary>Adds a contiguous run to one state.</summary>
    static virtual TState AddRun<TSelf>(TState state, T* x, long count) where TSelf : IReducer<T, TState>
    {
        for (long i = 0; i < count; i++) state = TSelf.Add(state, x[i]);
        return state;
    }

    /// <summary>Adds each element of a run to a state of its own.</summary>
    static virtual void AddRow<TSelf>(TState* states, T* x, int count) where TSelf : IReducer<T, TState>
    {
        for (int i = 0; i < count; i++) states[i] = TSelf.Add(states[i], x[i]);
    }

    static abstract T Finish(TState state, long count);
}

/// <summary>Applies a reducer over any set of dimensions. The order of the sums follows from the shape alone.</summary>
internal static unsafe class Reducing
{
    private const int Block = 256;
    private const long ChunkElements = 1 << 15;

    public static void Run<T, TState, TReducer>(EvaluationContext context, Tensor input, Tensor output, ulong axes)
        where T : unmanaged where TState : unmanaged where TReducer : struct, IReducer<T, TState>
    {
        var job = new Job<T, TState, TReducer> { X = (T*)input.Address, Y = (T*)output.Address, Loops = new(context.Node, input.Shape, axes) };
        if (job.Loops.KeptCount == 0) return;
        job.Results = Math.Max(1, ChunkElements / Math.Max(1, job.Loops.ReducedCount));
        if (!job.Loops.IsReducedInnermost) job.Results = Math.Max(job.Results, Math.Min(Block, job.Loops.RunLength));
        Workers.Run(checked((int)((job.Loops.KeptCount + job.Results - 1) / job.Results)), ref job);
        GC.KeepAlive(context);
    }

    private struct Job<T, TState, TReducer> : IJob where T : unmanaged where TState : unmanaged where TReducer : struct, IReducer<T, TState>
    {
        public T* X;
        public T* Y;
        public ReductionLoops Loops;
        public long Results;

        public readonly void Run(int chunk)
        {
            long start = chunk * Results, end = Math.Min(Loops.KeptCount, start + Results);
            if (Loops.IsReducedInnermost) ReduceRuns(start, end);
            else ReduceRows(start, end);
        }

        private readonly void ReduceRuns(long start, long end)
        {
            long runs = Loops.RunCount, length = Loops.RunLength, step = Loops.RunStep;
            for (long result = start; result < end; result++)
            {
                T* from = X + Loops.StartOf(result);
                TState state = TReducer.Start;
                for (long run = 0; run < runs && Loops.ReducedCount > 0; run++)
                {
                    T* x = from + Loops.RunStart(run);
                    if (step == 1) state = TReducer.AddRun<TReducer>(state, x, length);
                    else for (long i = 0; i < length; i++) state = TReducer.Add(state, x[i * step]);
                }
                Y[result] = TReducer.Finish(state, Loops.ReducedCount);
            }
        }

        private readonly void ReduceRows(long start, long end)
        {
            TState* states = stackalloc TState[Block];
            for (long result = start; result < end;)
            {
                int count = (int)Math.Min(Math.Min(Block, end - result), Loops.RunLength - result % Loops.RunLength);
                T* from = X + Loops.StartOf(result);
                for (int i = 0; i < count; i++) states[i] = TReducer.Start;
                for (long run = 0; run < Loops.RunCount; run++) TReducer.AddRow<TReducer>(states, from + Loops.RunStart(run), count);
                for (int i = 0; i < count; i++) Y[result + i] = TReducer.Finish(states[i], Loops.ReducedCount);
                result += count;
            }
        }
    }
}
