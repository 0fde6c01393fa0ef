using System.Numerics;
using Fewbit.Tensors;
using Fewbit.Tensors.Threading;

namespace Fewbit.Graphs.Operators.Elementwise;

/// <summary>ONNX Clip, opset 13: each element limited to [min, max], either of which may be left out; NaN stays.</summary>
internal sealed record Clip : IDifferentiable, IInPlaceOperator
{
    public void Infer(InferenceContext context)
    {
        context.Node.ExpectInputs(1, 3);
        for (int bound = 1; bound < context.InputCount; bound++)
        {
            if (!context.HasInput(bound)) continue;
            context.ExpectOneType(0, bound);
            context.Node.Expect(context.InputShape(bound) is not { IsKnown: true } shape || shape.ToShape().ElementCount == 1, $"limits by {context.Node.Input(bound)}, expected one number");
        }
        context.InferLikeInput();
    }

    public void Evaluate(EvaluationContext context)
    {
        if (Converted.ThroughFloat32(context, this)) return;
        ElementDispatch.Number(context.Node, context.Input(0).Type, new Action(context));
    }

    public bool CanOverwrite(int index) => index == 0;

    public void Gradient(GradientContext context)
    {
        if (context.OutputGradient() is not { } gradient) return;
        if (context.Needs(1) || context.Needs(2)) OfLimits(context, gradient);
        if (!context.Needs(0)) return;
        context.SetInputGradient(0, context.Input(0).Apply(OperatorTable.FewbitDomain, "ClipGradient", null, gradient, context.Node.Input(1), context.Node.Input(2)));
    }

    /// <summary>A limit takes the gradients of the elements that it replaced; the upper one wins where they cross.</summary>
    private static void OfLimits(GradientContext context, Value gradient)
    {
        Value x = context.Input(0), none = gradient.Scalar(0);
        Value? min = context.Node.Input(1), max = context.Node.Input(2);
        Value raised = min is null ? x : x.Apply("Max", min);
        if (context.Needs(2)) context.SetInputGradient(2, raised.Apply("Greater", max).Apply("Where", gradient, none).SumToShapeOf(max!));
        if (!context.Needs(1)) return;
        Value isLow = x.Apply("Less", min), own = isLow.Apply("Where", gradient, none);
        context.SetInputGradient(1, (max is null ? own : raised.Apply("Greater", max).Apply("Where", none, own)).SumToShapeOf(min!));
    }

    /// <summary>The limits of element type T, infinite or the type's own where they are left out.</summary>
    internal static (T Min, T Max) Limits<T>(EvaluationContext context, int minInput) where T : unmanaged, INumber<T> =>
        (context.FindInput(minInput) is { } min ? min.Item<T>() : Lowest<T>(-1), context.FindInput(minInput + 1) is { } max ? max.Item<T>() : Lowest<T>(1));

    // Saturates to the end of the type's range; for floats to infinity.
    private static T Lowest<T>(int sign) where T : INumber<T> => T.CreateSaturating(sign * double.PositiveInfinity);

    private readonly unsafe struct Action(EvaluationContext context) : INumberAction
    {
        public void Run<T>() where T : unmanaged, INumber<T>
        {
            Tensor output = context.Output(0);
            (T min, T max) = Limits<T>(context, 1);
            var job = new Job<T> { X = (T*)context.Input(0).Address, Y = (T*)output.Address, Count = output.ByteCount / sizeof(T), Min = min, Max = max };
            Workers.Run(Broadcasting.ChunksOf(job.Count), ref job);
            GC.KeepAlive(context);
        }
    }

    private unsafe struct Job<T> : IJob where T : unmanaged, INumber<T>
    {
        public T* X;
        public T* Y;
        public long Count;
        public T Min;
        public T Max;

        public readonly void Run(int chunk)
        {
            long i = (long)chunk * Broadcasting.ChunkLength, end = Math.Min(Count, i + Broadcasting.ChunkLength);
            var (lowest, highest) = (new Vector<T>(Min), new Vector<T>(Max));
            for (; i <= end - Vector<T>.Count; i += Vector<T>.Count) Vector.Min(Vector.Max(Vector.Load(X + i), lowest), highest).Store(Y + i);
            for (; i < end; i++) Y[i] = T.Min(T.Max(X[i], Min), Max);
        }
    }
}

/// <summary>Gradient of Clip: input 1 where input 0 lies within the limits (inputs 2 and 3), else 0.</summary>
internal sealed record ClipGradient : IDifferentiable, IInPlaceOperator
{
    public void Infer(InferenceContext context)
    {
        context.Node.ExpectInputs(2, 4);
        context.ExpectOneType(0, 1);
        context.SetOutput(0, context.InputType(1), context.InputShape(1));
    }

    public void Evaluate(EvaluationContext context) => ElementDispatch.Real(context.Node, context.Input(0).Type, new Action(context));

    public bool CanOverwrite(int index) => index < 2;

    public void Gradient(GradientContext context)
    {
        if (!context.Needs(1) || context.OutputGradient() is not { } gradient) return;
        context.SetInputGradient(1, context.Input(0).Apply(OperatorTable.FewbitDomain, "ClipGradient", null, gradient, context.Node.Input(2), context.Node.Input(3)));
    }

    private readonly unsafe struct Action(EvaluationContext context) : IRealAction
    {
        public void Run<T>() where T : unmanaged, IBinaryFloatingPointIeee754<T>
        {
            Tensor output = context.Output(0);
            (T min, T max) = Clip.Limits<T>(context, 2);
            var job = new Job<T> { X = (T*)context.Input(0).Address, Gradient = (T*)context.Input(1).Address, Y = (T*)output.Address, Count = output.ByteCount / sizeof(T), Min = min, Max = max };
            Workers.Run(Broadcasting.ChunksOf(job.Count), ref job);
            GC.KeepAlive(context);
        }
    }

    private unsafe struct Job<T> : IJob where T : unmanaged, INumber<T>
    {
        public T* X;
        public T* Gradient;
        public T* Y;
        public long Count;
        public T Min;
        public T Max;

        public readonly void Run(int chunk)
        {
            long i = (long)chunk * Broadcasting.ChunkLength, end = Math.Min(Count, i + Broadcasting.ChunkLength);
            var (lowest, highest) = (new Vector<T>(Min), new Vector<T>(Max));
            for (; i <= end - Vector<T>.Count; i += Vector<T>.Count)
            {
                Vector<T> x = Vector.Load(X + i), isInside = Vector.GreaterThanOrEqual(x, lowest) & Vector.LessThanOrEqual(x, highest);
                (Vector.Load(Gradient + i) & isInside).Store(Y + i);
            }
            for (; i < end; i++) Y[i] = X[i] >= Min && X[i] <= Max ? Gradient[i] : T.Zero;
        }
    }
}
