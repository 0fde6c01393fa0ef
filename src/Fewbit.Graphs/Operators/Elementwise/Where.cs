using System.Runtime.CompilerServices;
using Fewbit.Tensors;
using Fewbit.Tensors.Threading;

namespace Fewbit.Graphs.Operators.Elementwise;

/// <summary>ONNX Where, opset 16: the second input where the condition holds, else the third, with NumPy broadcasting.</summary>
internal sealed record Where : IDifferentiable, IInPlaceOperator
{
    public void Infer(InferenceContext context)
    {
        context.Node.ExpectInputs(3, 3);
        context.ExpectType(0, type => type == ElementType.Bool, "a bool condition");
        context.InferBroadcast(context.ExpectOneType(1, 2), 0, 1, 2);
    }

    public void Evaluate(EvaluationContext context)
    {
        if (Converted.Unpacked(context, this)) return;
        ElementDispatch.Word(context.Node, context.Output(0).Type, new Action(context));
    }

    public bool CanOverwrite(int index) => true;

    public void Gradient(GradientContext context)
    {
        if (context.OutputGradient() is not { } gradient) return;
        Value zero = gradient.Scalar(0);
        if (context.Needs(1)) context.SetInputGradient(1, context.Input(0).Apply("Where", gradient, zero).SumToShapeOf(context.Input(1)));
        if (context.Needs(2)) context.SetInputGradient(2, context.Input(0).Apply("Where", zero, gradient).SumToShapeOf(context.Input(2)));
    }

    private readonly unsafe struct Action(EvaluationContext context) : IWordAction
    {
        public void Run<T>() where T : unmanaged
        {
            (Tensor condition, Tensor a, Tensor b, Tensor output) = (context.Input(0), context.Input(1), context.Input(2), context.Output(0));
            var job = new Job<T>
            {
                Condition = condition.Address,
                A = (T*)a.Address,
                B = (T*)b.Address,
                Output = (T*)output.Address,
                Count = output.ElementCount,
                Loops = new(context.Node, output.Shape, a.Shape, b.Shape, condition.Shape),
            };
            Workers.Run(Broadcasting.ChunksOf(job.Count), ref job);
            GC.KeepAlive(context);
        }
    }

    private unsafe struct Job<T> : IJob where T : unmanaged
    {
        public byte* Condition;
        public T* A;
        public T* B;
        public T* Output;
        public long Count;
        public BroadcastLoops Loops;

        public readonly void Run(int chunk)
        {
            long at = (long)chunk * Broadcasting.ChunkLength, end = Math.Min(Count, at + Broadcasting.ChunkLength);
            BroadcastLoops loops = Loops;
            loops.MoveTo(at);
            while (at < end)
            {
                long run = Math.Min(loops.RunLength, end - at), stepA = loops.StepA, stepB = loops.StepB, stepC = loops.StepC;
                T* a = A + loops.A, b = B + loops.B, y = Output + at;
                byte* c = Condition + loops.C;
                for (long i = 0; i < run; i++) y[i] = Select(c[i * stepC] != 0, a[i * stepA], b[i * stepB]);
                loops.Advance(run);
                at += run;
            }
        }

        /// <summary>By a mask: conditions are seldom predictable, and a wrong guess costs more than the whole element.</summary>
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        private static T Select(bool condition, T a, T b)
        {
            if (sizeof(T) == 4)
            {
                uint x = Unsafe.As<T, uint>(ref a), y = Unsafe.As<T, uint>(ref b), result = y ^ ((x ^ y) & (uint)-Unsafe.BitCast<bool, byte>(condition));
                return Unsafe.As<uint, T>(ref result);
            }
            return condition ? a : b;
        }
    }
}
