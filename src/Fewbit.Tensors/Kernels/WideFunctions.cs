using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace Fewbit.Tensors.Kernels;

/// <summary>A function of 16 elements, for AVX-512.</summary>
internal interface IWideFunction
{
    Vector512<float> Apply(Vector512<float> x);
}

/// <summary>e^x: 2^n · e^r with |r| at most ln 2 / 2, e^r by a polynomial of degree 6; within 2 units in the last place. NaN passes.</summary>
internal readonly struct WideExp : IWideFunction
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public Vector512<float> Apply(Vector512<float> x)
    {
        // Beyond these bounds the result is 0 or infinity; NaN is the second operand, which the machine's minimum returns.
        Vector512<float> limited = Avx512F.Min(Vector512.Create(89f), Avx512F.Max(Vector512.Create(-104f), x));
        Vector512<float> n = Avx512F.RoundScale(limited * Vector512.Create(1.44269504f), 8);
        Vector512<float> r = Wide.Add(n, -1.42860677e-6f, Wide.Add(n, -0.693145752f, limited));
        Vector512<float> p = Wide.Add(r, Vector512.Create(0.00137805939f), 0.00837312452f);
        p = Wide.Add(r, p, 0.0416695364f);
        p = Wide.Add(r, p, 0.16666472f);
        p = Wide.Add(r, p, 0.499999851f);
        p = Wide.Add(r, p, 1);
        p = Wide.Add(r, p, 1);
        return Avx512F.Scale(p, n);
    }
}

/// <summary>erf(x / √2) as <see cref="VectorErf"/>.</summary>
internal readonly struct WideErfOfRoot : IWideFunction
{
    private const float End = 3.832506856900711f;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public Vector512<float> Apply(Vector512<float> x)
    {
        Vector512<float> z = Avx512F.Min(Vector512.Create(End), Avx512F.Max(Vector512.Create(-End), x * Vector512.Create(0.70710678f))), square = z * z;
        Vector512<float> p = Wide.Add(square, Vector512.Create(0.00022905065861350646f), 0.0034082910107109506f);
        p = Wide.Add(square, p, 0.050955695062380861f);
        p = Wide.Add(square, p, 0.18520832239976145f);
        p = Wide.Add(square, p, 1.128379143519084f);
        Vector512<float> q = Wide.Add(square, Vector512.Create(-1.1791602954361697e-7f), 0.000023547966471313185f);
        q = Wide.Add(square, q, 0.0010179625278914885f);
        q = Wide.Add(square, q, 0.014070470171167667f);
        q = Wide.Add(square, q, 0.11098505178285362f);
        q = Wide.Add(square, q, 0.49746925110067538f);
        q = Wide.Add(square, q, 1);
        return z * p / q;
    }
}

/// <summary>x / 2 · (1 + erf(x / √2)).</summary>
internal readonly struct WideGelu : IWideFunction
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public Vector512<float> Apply(Vector512<float> x)
    {
        Vector512<float> half = x * Vector512.Create(0.5f);
        return Avx512F.FusedMultiplyAdd(half, new WideErfOfRoot().Apply(x), half);
    }
}

/// <summary>The derivative of Gelu: Φ(x) + x φ(x).</summary>
internal readonly struct WideGeluSlope : IWideFunction
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public Vector512<float> Apply(Vector512<float> x)
    {
        Vector512<float> distribution = Wide.Add(new WideErfOfRoot().Apply(x), Vector512.Create(0.5f), 0.5f);
        Vector512<float> density = new WideExp().Apply(x * x * Vector512.Create(-0.5f)) * Vector512.Create(0.39894228f);
        return Avx512F.FusedMultiplyAdd(x, density, distribution);
    }
}

/// <summary>x · sigmoid(alpha · x).</summary>
internal readonly struct WideSwish(float alpha) : IWideFunction
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public Vector512<float> Apply(Vector512<float> x) => x / (Vector512<float>.One + new WideExp().Apply(x * Vector512.Create(-alpha)));
}

/// <summary>Gelu with tanh, which is x · sigmoid(2 √(2/π) (x + 0.044715 x³)).</summary>
internal readonly struct WideTanhGelu : IWideFunction
{
    private const float Outer = -1.59576917f, Inner = 0.044715f * Outer;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public Vector512<float> Apply(Vector512<float> x) => x / (Vector512<float>.One + new WideExp().Apply(x * Wide.Add(x * x, Vector512.Create(Inner), Outer)));
}

/// <summary>Loops and steps of functions of 16 elements.</summary>
internal static unsafe class Wide
{
    /// <summary>Applies a function to a run of elements in place.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Each<TFunction>(TFunction function, float* x, int count) where TFunction : struct, IWideFunction
    {
        int i = 0;
        for (; i + 16 <= count; i += 16) function.Apply(Vector512.Load(x + i)).Store(x + i);
        if (i < count) Store(function.Apply(Load(x + i, count - i)), x + i, count - i);
    }

    /// <summary>output = factors · function(x).</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Each<TFunction>(TFunction function, float* x, float* factors, float* output, long count) where TFunction : struct, IWideFunction
    {
        long i = 0;
        for (; i + 16 <= count; i += 16) (Vector512.Load(factors + i) * function.Apply(Vector512.Load(x + i))).Store(output + i);
        int rest = (int)(count - i);
        if (rest > 0) Store(Load(factors + i, rest) * function.Apply(Load(x + i, rest)), output + i, rest);
    }

    /// <summary>Fewer than 16 elements, zeros behind them.</summary>
    public static Vector512<float> Load(float* x, int count) => Avx512F.MaskLoad(x, Mask(count), Vector512<float>.Zero);

    /// <summary>Writes fewer than 16 elements.</summary>
    public static void Store(Vector512<float> value, float* x, int count) => Avx512F.MaskStore(x, Mask(count), value);

    /// <summary>x · a + b.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> Add(Vector512<float> x, Vector512<float> a, float b) => Avx512F.FusedMultiplyAdd(x, a, Vector512.Create(b));

    /// <summary>x · a + b.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> Add(Vector512<float> x, float a, Vector512<float> b) => Avx512F.FusedMultiplyAdd(x, Vector512.Create(a), b);

    /// <summary>The first lanes.</summary>
    private static Vector512<float> Mask(int count) => Vector512.LessThan(Vector512<int>.Indices, Vector512.Create(count)).AsSingle();
}
