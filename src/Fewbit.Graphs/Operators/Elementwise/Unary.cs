using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Fewbit.Tensors;
using Fewbit.Tensors.Kernels;
using Fewbit.Tensors.Threading;

namespace Fewbit.Graphs.Operators.Elementwise;

/// <summary>A function of one real number, its attributes in fields.</summary>
internal interface IUnaryFunction
{
    /// <summary>The reference, and what float64 is computed by.</summary>
    T Apply<T>(T x) where T : IBinaryFloatingPointIeee754<T>;

    /// <summary>A run of float32 elements; y may be x itself.</summary>
    void Apply(ReadOnlySpan<float> x, Span<float> y);

    /// <summary>The same function of integers; false where ONNX has none.</summary>
    bool ApplyInteger<T>(ReadOnlySpan<T> x, Span<T> y) where T : unmanaged, INumber<T> => false;

    /// <summary>Gradient of x; null where it is 0 everywhere.</summary>
    Value? Gradient(Value x, Value y, Value gradient);
}

/// <summary>ONNX Relu, Sigmoid, Exp and their like: a function of each element.</summary>
/// <param name="Function">The function with its attributes.</param>
internal sealed record Unary<TFunction>(TFunction Function) : IDifferentiable, IInPlaceOperator where TFunction : unmanaged, IUnaryFunction
{
    public void Infer(InferenceContext context)
    {
        context.Node.ExpectInputs(1, 1);
        context.ExpectType(0, type => type.IsFloat() || type.IsInteger(), "numbers");
        context.InferLikeInput();
    }

    public void Evaluate(EvaluationContext context)
    {
        if (Converted.ThroughFloat32(context, this)) return;
        ElementDispatch.Number(context.Node, context.Input(0).Type, new Action(context, Function));
    }

    public bool CanOverwrite(int index) => true;

    public void Gradient(GradientContext context)
    {
        if (!context.Needs(0) || context.OutputGradient() is not { } gradient) return;
        if (Function.Gradient(context.Input(0), context.Output(), gradient) is { } result) context.SetInputGradient(0, result);
    }

    private readonly unsafe struct Action(EvaluationContext context, TFunction function) : INumberAction
    {
        public void Run<T>() where T : unmanaged, INumber<T>
        {
            (Tensor input, Tensor output) = (context.Input(0), context.Output(0));
            var job = new Job<T> { X = (T*)input.Address, Y = (T*)output.Address, Count = output.ByteCount / sizeof(T), Function = function };
            if (typeof(T) == typeof(float) || typeof(T) == typeof(double)) Workers.Run(Broadcasting.ChunksOf(job.Count), ref job);
            else if (!function.ApplyInteger<T>(input.Span<T>(), output.Span<T>())) throw context.Node.Fail($"does not take {input.Type.Name()} elements");
            GC.KeepAlive(context);
        }
    }

    private unsafe struct Job<T> : IJob where T : unmanaged
    {
        public T* X;
        public T* Y;
        public long Count;
        public TFunction Function;

        public readonly void Run(int chunk)
        {
            long start = (long)chunk * Broadcasting.ChunkLength;
            int count = (int)Math.Min(Count - start, Broadcasting.ChunkLength);
            var x = new Span<T>(X + start, count);
            var y = new Span<T>(Y + start, count);
            if (typeof(T) == typeof(float)) Function.Apply(MemoryMarshal.Cast<T, float>(x), MemoryMarshal.Cast<T, float>(y));
            else Loops.Scalar(Function, MemoryMarshal.Cast<T, double>(x), MemoryMarshal.Cast<T, double>(y));
        }
    }
}

/// <summary>Loops over a function of one number.</summary>
internal static class Loops
{
    /// <summary>Element by element.</summary>
    public static void Scalar<TFunction, T>(TFunction function, ReadOnlySpan<T> x, Span<T> y) where TFunction : struct, IUnaryFunction where T : IBinaryFloatingPointIeee754<T>
    {
        for (int i = 0; i < y.Length; i++) y[i] = function.Apply(x[i]);
    }

    /// <summary>Each element in float64, where float32 would cancel near 0.</summary>
    public static void Wide<TFunction>(TFunction function, ReadOnlySpan<float> x, Span<float> y) where TFunction : struct, IUnaryFunction
    {
        for (int i = 0; i < y.Length; i++) y[i] = (float)function.Apply((double)x[i]);
    }

    /// <summary>Vector by vector; the last elements in a vector that is filled up.</summary>
    // Optimized at its first call: a short run of a command never gets to the second.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Vectors<TFunction>(TFunction function, ReadOnlySpan<float> x, Span<float> y) where TFunction : struct, IVectorFunction
    {
        int i = 0;
        ref float from = ref MemoryMarshal.GetReference(x), to = ref MemoryMarshal.GetReference(y);
        for (; i <= y.Length - Vector<float>.Count; i += Vector<float>.Count) function.Apply(Vector.LoadUnsafe(ref from, (nuint)i)).StoreUnsafe(ref to, (nuint)i);
        if (i == y.Length) return;
        Span<float> last = stackalloc float[Vector<float>.Count];
        x[i..y.Length].CopyTo(last);
        function.Apply(new Vector<float>(last)).CopyTo(last);
        last[..(y.Length - i)].CopyTo(y[i..]);
    }

    /// <summary>Integers one by one.</summary>
    public static bool Integers<T>(ReadOnlySpan<T> x, Span<T> y, Func<T, T> function)
    {
        for (int i = 0; i < y.Length; i++) y[i] = function(x[i]);
        return true;
    }
}
