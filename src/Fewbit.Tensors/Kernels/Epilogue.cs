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

    /// <summary>x / 2 · (1 + erf(x / √2)); from here on matrix products only.</summary>
    Gelu,

    /// <summary>Gelu with tanh in the place of erf.</summary>
    TanhGelu,

    /// <summary>x · sigmoid(alpha · x).</summary>
    Swish,
}

/// <summary>An activation and its constants. NaN passes through each of them.</summary>
/// <param name="Kind">Which one.</param>
/// <param name="Low">Clip: the minimum. LeakyRelu: the slope below zero. Swish: alpha.</param>
/// <param name="High">Clip: the maximum.</param>
internal readonly record struct Activation(ActivationKind Kind, float Low = 0, float High = 0)
{
    public static Activation None => default;

    public static Activation Relu => new(ActivationKind.Relu);

    public static Activation Clip(float minimum, float maximum) => new(ActivationKind.Clip, minimum, maximum);

    public static Activation LeakyRelu(float slope) => new(ActivationKind.LeakyRelu, slope);

    public static Activation Gelu => new(ActivationKind.Gelu);

    public static Activation TanhGelu => new(ActivationKind.TanhGelu);

    public static Activation Swish(float alpha) => new(ActivationKind.Swish, alpha);

    /// <summary>Whether it needs an exponential function or the like; these are applied row by row.</summary>
    public bool IsSmooth => Kind >= ActivationKind.Gelu;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public float Apply(float x) => Kind switch
    {
        ActivationKind.Relu => x < 0 ? 0 : x,
        ActivationKind.Clip => x < Low ? Low : x > High ? High : x,
        ActivationKind.LeakyRelu => x < 0 ? x * Low : x,
        ActivationKind.None => x,
        _ => ApplySmooth(x),
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

    /// <summary>Applies a smooth activation to a run of elements in place.</summary>
    public unsafe void ApplySmooth(float* x, int count)
    {
        bool isWide = KernelPaths.Active >= KernelPath.Avx512;
        switch (Kind)
        {
            case ActivationKind.Gelu when isWide:
                Wide.Each(new WideGelu(), x, count);
                break;
            case ActivationKind.Gelu:
                Each(new VectorGelu(), x, count);
                break;
            case ActivationKind.TanhGelu when isWide:
                Wide.Each(new WideTanhGelu(), x, count);
                break;
            case ActivationKind.TanhGelu:
                Each(new VectorTanhGelu(), x, count);
                break;
            case ActivationKind.Swish when isWide:
                Wide.Each(new WideSwish(Low), x, count);
                break;
            case ActivationKind.Swish:
                Each(new VectorSwish(Low), x, count);
                break;
        }
    }

    private unsafe float ApplySmooth(float x)
    {
        ApplySmooth(&x, 1);
        return x;
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static unsafe void Each<TFunction>(TFunction function, float* x, int count) where TFunction : struct, IVectorFunction
    {
        int i = 0, width = Vector<float>.Count;
        for (; i + width <= count; i += width) *(Vector<float>*)(x + i) = function.Apply(*(Vector<float>*)(x + i));
        if (i < count) Last(function, new(x + i, count - i));
    }

    private static void Last<TFunction>(TFunction function, Span<float> rest) where TFunction : struct, IVectorFunction
    {
        Span<float> full = stackalloc float[Vector<float>.Count];
        full.Clear();
        rest.CopyTo(full);
        function.Apply(new Vector<float>(full)).CopyTo(full);
        full[..rest.Length].CopyTo(rest);
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
