using System.Numerics;
using Fewbit.Tensors;

namespace Fewbit.Graphs.Operators.Elementwise;

/// <summary>A relation of two numbers; false where either is NaN.</summary>
internal interface IRelation
{
    static abstract bool Holds<T>(T a, T b) where T : INumber<T>;
}

internal readonly struct EqualRelation : IRelation
{
    public static bool Holds<T>(T a, T b) where T : INumber<T> => a == b;
}

internal readonly struct LessRelation : IRelation
{
    public static bool Holds<T>(T a, T b) where T : INumber<T> => a < b;
}

internal readonly struct LessOrEqualRelation : IRelation
{
    public static bool Holds<T>(T a, T b) where T : INumber<T> => a <= b;
}

internal readonly struct GreaterRelation : IRelation
{
    public static bool Holds<T>(T a, T b) where T : INumber<T> => a > b;
}

internal readonly struct GreaterOrEqualRelation : IRelation
{
    public static bool Holds<T>(T a, T b) where T : INumber<T> => a >= b;
}

/// <summary>ONNX Equal, Less, LessOrEqual, Greater, GreaterOrEqual: a Bool for each pair, with NumPy broadcasting.</summary>
internal sealed record Comparison<TRelation> : IOperator where TRelation : struct, IRelation
{
    public void Infer(InferenceContext context)
    {
        context.Node.ExpectInputs(2, 2);
        context.ExpectOneType(0, 1);
        context.InferBroadcast(ElementType.Bool, 0, 1);
    }

    public void Evaluate(EvaluationContext context)
    {
        if (Converted.ThroughFloat32(context, this)) return;
        if (context.Input(0).Type == ElementType.Bool) Broadcasting.Run<byte, byte, Kernel<byte>>(context);
        else ElementDispatch.Number(context.Node, context.Input(0).Type, new Action(context));
    }

    private readonly struct Action(EvaluationContext context) : INumberAction
    {
        public void Run<T>() where T : unmanaged, INumber<T> => Broadcasting.Run<T, byte, Kernel<T>>(context);
    }

    private readonly unsafe struct Kernel<T> : IBinaryKernel<T, byte> where T : unmanaged, INumber<T>
    {
        public static void Run(T* a, long stepA, T* b, long stepB, byte* output, long count)
        {
            for (long i = 0; i < count; i++) output[i] = TRelation.Holds(a[i * stepA], b[i * stepB]) ? (byte)1 : (byte)0;
        }
    }
}
