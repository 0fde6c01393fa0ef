using System.Numerics;
using System.Runtime.CompilerServices;
using Fewbit.Tensors;

namespace Fewbit.Graphs.Operators.Elementwise;

/// <summary>A function of the bits of two integers; Bool is the byte 0 or 1.</summary>
internal interface IBitFunction
{
    static abstract T Apply<T>(T a, T b) where T : IBinaryInteger<T>;
}

internal readonly struct AndFunction : IBitFunction
{
    public static T Apply<T>(T a, T b) where T : IBinaryInteger<T> => a & b;
}

internal readonly struct OrFunction : IBitFunction
{
    public static T Apply<T>(T a, T b) where T : IBinaryInteger<T> => a | b;
}

internal readonly struct XorFunction : IBitFunction
{
    public static T Apply<T>(T a, T b) where T : IBinaryInteger<T> => a ^ b;
}

/// <summary>a · 2^b; 0 where b is the width or more.</summary>
internal readonly struct ShiftLeftFunction : IBitFunction
{
    public static T Apply<T>(T a, T b) where T : IBinaryInteger<T>
    {
        int count = int.CreateSaturating(b);
        return (uint)count >= Unsafe.SizeOf<T>() * 8 ? T.Zero : a << count;
    }
}

/// <summary>a / 2^b rounded down; 0 where b is the width or more.</summary>
internal readonly struct ShiftRightFunction : IBitFunction
{
    public static T Apply<T>(T a, T b) where T : IBinaryInteger<T>
    {
        int count = int.CreateSaturating(b);
        return (uint)count >= Unsafe.SizeOf<T>() * 8 ? T.Zero : a >> count;
    }
}

/// <summary>ONNX And, Or, Xor (Bool), BitwiseAnd, BitwiseOr, BitwiseXor and BitShift (integers), with NumPy broadcasting.</summary>
/// <param name="IsLogical">True: inputs are Bool. False: integers.</param>
internal sealed record Bitwise<TFunction>(bool IsLogical) : IInPlaceOperator where TFunction : struct, IBitFunction
{
    public void Infer(InferenceContext context)
    {
        context.Node.ExpectInputs(2, 2);
        ElementType type = context.ExpectOneType(0, 1);
        context.ExpectType(0, IsLogical ? given => given == ElementType.Bool : ElementTypes.IsInteger, IsLogical ? "bool" : "integers");
        context.InferBroadcast(type, 0, 1);
    }

    public void Evaluate(EvaluationContext context) => ElementDispatch.Integer(context.Node, context.Input(0).Type, new Action(context));

    public bool CanOverwrite(int index) => true;

    private readonly struct Action(EvaluationContext context) : IIntegerAction
    {
        public void Run<T>() where T : unmanaged, IBinaryInteger<T> => Broadcasting.Run<T, T, Kernel<T>>(context);
    }

    private readonly unsafe struct Kernel<T> : IBinaryKernel<T, T> where T : unmanaged, IBinaryInteger<T>
    {
        public static void Run(T* a, long stepA, T* b, long stepB, T* output, long count)
        {
            for (long i = 0; i < count; i++) output[i] = TFunction.Apply(a[i * stepA], b[i * stepB]);
        }
    }
}

/// <summary>ONNX Not (Bool) and BitwiseNot (integers).</summary>
/// <param name="IsLogical">True: the input is Bool. False: integers.</param>
internal sealed record Complement(bool IsLogical) : IInPlaceOperator
{
    public void Infer(InferenceContext context)
    {
        context.Node.ExpectInputs(1, 1);
        context.ExpectType(0, IsLogical ? given => given == ElementType.Bool : ElementTypes.IsInteger, IsLogical ? "bool" : "integers");
        context.InferLikeInput();
    }

    public void Evaluate(EvaluationContext context)
    {
        // Not flips the lowest bit, BitwiseNot all: every width is a number of bytes.
        ReadOnlySpan<byte> x = context.Input(0).Bytes;
        Span<byte> y = context.Output(0).Bytes;
        byte mask = IsLogical ? (byte)1 : byte.MaxValue;
        for (int i = 0; i < y.Length; i++) y[i] = (byte)(x[i] ^ mask);
    }

    public bool CanOverwrite(int index) => true;
}
