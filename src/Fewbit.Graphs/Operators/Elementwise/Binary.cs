using System.Numerics;
using Fewbit.Tensors.Kernels;

namespace Fewbit.Graphs.Operators.Elementwise;

/// <summary>A function of two numbers of one type.</summary>
internal interface IBinaryFunction
{
    /// <summary>True where whole vectors of floating-point numbers can be computed.</summary>
    static abstract bool IsVectorized { get; }

    static abstract T Apply<T>(T a, T b) where T : INumber<T>;

    static abstract Vector<T> Apply<T>(Vector<T> a, Vector<T> b);

    /// <summary>The same function of whole runs of float32 in AVX-512; false where it has no such form.</summary>
    static virtual unsafe bool ApplyWide(float* a, float* b, float* output, long count) => false;

    /// <summary>The same function of two lengths; a symbol survives where it can.</summary>
    static virtual Dim Apply(Dim a, Dim b) => Dim.Unknown;
}

/// <summary>A function of two numbers with its derivative as a formula over values.</summary>
internal interface IDifferentiableBinaryFunction : IBinaryFunction
{
    /// <summary>Gradients of a and b, not yet summed over broadcast dimensions; null for none.</summary>
    static abstract (Value? A, Value? B) Gradient(Value a, Value b, Value output, Value gradient);
}

/// <summary>ONNX Add, Sub, Mul, Div and their like: element by element, with NumPy broadcasting.</summary>
internal sealed record Binary<TFunction> : IDifferentiable, IInPlaceOperator where TFunction : struct, IDifferentiableBinaryFunction
{
    public void Infer(InferenceContext context)
    {
        context.Node.ExpectInputs(2, 2);
        context.InferBroadcast(context.ExpectOneType(0, 1), 0, 1);
        if (context.InputDims(0) is { } a && context.InputDims(1) is { } b && Broadcast(a, b) is { } dims) context.SetOutputDims(0, dims);
    }

    public void Evaluate(EvaluationContext context)
    {
        if (Converted.ThroughFloat32(context, this)) return;
        try
        {
            ElementDispatch.Number(context.Node, context.Input(0).Type, new Action(context));
        }
        catch (DivideByZeroException)
        {
            throw context.Node.Fail($"divides {context.Input(0)} by 0: an element of {context.Node.Input(1)} is 0, and integers have no infinity");
        }
    }

    public bool CanOverwrite(int index) => true;

    public void Gradient(GradientContext context)
    {
        if (context.OutputGradient() is not { } gradient) return;
        (Value? a, Value? b) = TFunction.Gradient(context.Input(0), context.Input(1), context.Output(), gradient);
        if (a is not null && context.Needs(0)) context.SetInputGradient(0, a.SumToShapeOf(context.Input(0)));
        if (b is not null && context.Needs(1)) context.SetInputGradient(1, b.SumToShapeOf(context.Input(1)));
    }

    private static Dim[]? Broadcast(Dim[] a, Dim[] b)
    {
        if (a.Length != b.Length && a.Length != 1 && b.Length != 1) return null;
        var dims = new Dim[a.Length == 1 ? b.Length : a.Length];
        for (int i = 0; i < dims.Length; i++) dims[i] = TFunction.Apply(a[a.Length == 1 ? 0 : i], b[b.Length == 1 ? 0 : i]);
        return dims;
    }

    private readonly struct Action(EvaluationContext context) : INumberAction
    {
        public void Run<T>() where T : unmanaged, INumber<T> => Broadcasting.Run<T, T, ArithmeticKernel<T, TFunction>>(context);
    }
}

/// <summary>A function of two numbers over a run of elements.</summary>
internal readonly unsafe struct ArithmeticKernel<T, TFunction> : IBinaryKernel<T, T> where T : unmanaged, INumber<T> where TFunction : struct, IBinaryFunction
{
    public static void Run(T* a, long stepA, T* b, long stepB, T* output, long count)
    {
        if (typeof(T) == typeof(float) && stepA == 1 && stepB == 1 && KernelPaths.Active >= KernelPath.Avx512 && TFunction.ApplyWide((float*)a, (float*)b, (float*)output, count)) return;
        long i = 0;
        if (TFunction.IsVectorized && (typeof(T) == typeof(float) || typeof(T) == typeof(double)) && count >= Vector<T>.Count)
        {
            long last = count - Vector<T>.Count;
            if (stepA != 0 && stepB != 0)
            {
                for (; i <= last; i += Vector<T>.Count) TFunction.Apply(Vector.Load(a + i), Vector.Load(b + i)).Store(output + i);
            }
            else if (stepA != 0)
            {
                var repeated = new Vector<T>(*b);
                for (; i <= last; i += Vector<T>.Count) TFunction.Apply(Vector.Load(a + i), repeated).Store(output + i);
            }
            else
            {
                var repeated = new Vector<T>(*a);
                for (; i <= last; i += Vector<T>.Count) TFunction.Apply(repeated, Vector.Load(b + i)).Store(output + i);
            }
        }
        for (; i < count; i++) output[i] = TFunction.Apply(a[i * stepA], b[i * stepB]);
    }
}
