using Fewbit.Tensors;
using Fewbit.Tensors.Threading;

namespace Fewbit.Graphs.Operators.Elementwise;

/// <summary>Computes one run of outputs from two operands, each a run (step 1) or one repeated element (step 0).</summary>
internal unsafe interface IBinaryKernel<T, TOut> where T : unmanaged where TOut : unmanaged
{
    static abstract void Run(T* a, long stepA, T* b, long stepB, TOut* output, long count);
}

/// <summary>Applies a kernel to two broadcast tensors, on all threads where it pays.</summary>
internal static unsafe class Broadcasting
{
    /// <summary>Elements that one thread takes at a time.</summary>
    public const int ChunkLength = 1 << 15;

    public static void Run<T, TOut, TKernel>(EvaluationContext context) where T : unmanaged where TOut : unmanaged where TKernel : struct, IBinaryKernel<T, TOut> =>
        Run<T, TOut, TKernel>(context, context.Input(0), context.Input(1));

    public static void Run<T, TOut, TKernel>(EvaluationContext context, Tensor a, Tensor b)
        where T : unmanaged where TOut : unmanaged where TKernel : struct, IBinaryKernel<T, TOut>
    {
        Tensor output = context.Output(0);
        // Equal shapes are taken as they lie, so that every layout will do.
        bool isAligned = a.Shape == b.Shape && a.Layout == b.Layout && a.Layout == output.Layout;
        long count = output.ByteCount / sizeof(TOut);
        var job = new Job<T, TOut, TKernel>
        {
            A = (T*)a.Address,
            B = (T*)b.Address,
            Output = (TOut*)output.Address,
            Count = count,
            Loops = isAligned ? new(count) : new(context.Node, output.StoredShape, a.StoredShape, b.StoredShape),
        };
        Workers.Run(ChunksOf(count), ref job);
        GC.KeepAlive(context);
        GC.KeepAlive(a);
        GC.KeepAlive(b);
    }

    /// <summary>Chunks that so many elements are split into.</summary>
    public static int ChunksOf(long count) => checked((int)((count + ChunkLength - 1) / ChunkLength));

    private struct Job<T, TOut, TKernel> : IJob where T : unmanaged where TOut : unmanaged where TKernel : struct, IBinaryKernel<T, TOut>
    {
        public T* A;
        public T* B;
        public TOut* Output;
        public long Count;
        public BroadcastLoops Loops;

        public readonly void Run(int chunk)
        {
            long at = (long)chunk * ChunkLength, end = Math.Min(Count, at + ChunkLength);
            BroadcastLoops loops = Loops;
            loops.MoveTo(at);
            while (at < end)
            {
                long run = Math.Min(loops.RunLength, end - at);
                TKernel.Run(A + loops.A, loops.StepA, B + loops.B, loops.StepB, Output + at, run);
                loops.Advance(run);
                at += run;
            }
        }
    }
}
