using System.Numerics;
using System.Runtime.CompilerServices;

namespace Fewbit.Tensors.Kernels;

/// <summary>Activations that a matrix product or convolution applies while its result is in the cache.</summary>
internal enum ActivationKind : byte
{
    None,
    Relu,
    Clip,
    LeakyRelu,
}

/// <summary>An activation and its constants. NaN passes through each of them.</summary>
/// <param name="Kind">Which one.</param>
/// <param name="Low">Clip: the minimum. LeakyRelu: the slope below zero.</param>
/// <param name="High">Clip: the maximum.</param>
internal readonly record struct Activation(ActivationKind Kind, float Low = 0, float High = 0)
{
    public static Activation None => default;

    public static Activation Relu => new(ActivationKind.Relu);

    public static Activation Clip(float minimum, float maximum) => new(ActivationKind.Clip, minimum, maximum);

    public static Activation LeakyRelu(float slope) => new(ActivationKind.LeakyRelu, slope);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public float Apply(float x) => Kind switch
    {
        ActivationKind.Relu => x < 0 ? 0 : x,
        ActivationKind.Clip => x < Low ? Low : x > High ? High : x,
        ActivationKind.LeakyRelu => x < 0 ? x * Low : x,
        _ => x,
    };

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public Vector<float> Apply(Vector<float> x)
    {
        switch (Kind)
        {
            case ActivationKind.Relu:
                return Vector.ConditionalSelect(Vector.LessThan(x, Vector<float>.Zero), Vector<float>.Zero, x);
            case ActivationKind.Clip:
                var low = new Vector<float>(Low);
                var high = new Vector<float>(High);
                x = Vector.ConditionalSelect(Vector.LessThan(x, low), low, x);
                return Vector.ConditionalSelect(Vector.GreaterThan(x, high), high, x);
            case ActivationKind.LeakyRelu:
                return Vector.ConditionalSelect(Vector.LessThan(x, Vector<float>.Zero), x * Low, x);
            default:
                return x;
        }
    }
}

/// <summary>What follows a matrix product, in this order: + row bias, + column bias, + residual, activation. Null pointers are left out.</summary>
/// <remarks>A convolution's bias is its row bias (a row is an output channel). The residual has the shape and the row stride of the result. In a matrix product it may be the result itself; it may not overlap it otherwise.</remarks>
internal unsafe struct Epilogue
{
    public float* RowBias;
    public float* ColumnBias;
    public float* Residual;
    public Activation Activation;

    public readonly bool IsEmpty => RowBias == null && ColumnBias == null && Residual == null && Activation.Kind == ActivationKind.None;
}
