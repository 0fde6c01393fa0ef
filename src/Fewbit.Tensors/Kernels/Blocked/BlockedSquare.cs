using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace Fewbit.Tensors.Kernels;

/// <summary>A square of outputs of 16 channels: + bias, + residual, activation, and where it goes; rows and columns past the edge of the plane are dropped.</summary>
internal unsafe struct BlockedSquare
{
    /// <summary>First output of the square, and what is added to it; the residual may be null.</summary>
    public float* Y, Residual;

    /// <summary>From row to row, in floats.</summary>
    public nint RowStep;

    /// <summary>Rows and columns inside the plane.</summary>
    public int Height, Width;
    public Vector512<float> Bias;
    public Activation Activation;

    /// <summary>Stores a row of four.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public readonly void Store(int row, Vector512<float> a, Vector512<float> b, Vector512<float> c, Vector512<float> d)
    {
        if (row >= Height) return;
        nint at = row * RowStep;
        Store(at, a);
        if (Width > 1) Store(at + 16, b);
        if (Width > 2) Store(at + 32, c);
        if (Width > 3) Store(at + 48, d);
    }

    /// <summary>Stores a row of two.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public readonly void Store(int row, Vector512<float> a, Vector512<float> b)
    {
        if (row >= Height) return;
        nint at = row * RowStep;
        Store(at, a);
        if (Width > 1) Store(at + 16, b);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private readonly void Store(nint at, Vector512<float> x)
    {
        x += Bias;
        if (Residual != null) x += Vector512.Load(Residual + at);
        if (Activation.Kind != ActivationKind.None) x = Apply(x);
        x.Store(Y + at);
    }

    /// <summary>The second operand wins where one is NaN, so NaN passes through.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private readonly Vector512<float> Apply(Vector512<float> x) => Activation.Kind switch
    {
        ActivationKind.Relu => Avx512F.Max(Vector512<float>.Zero, x),
        ActivationKind.Clip => Avx512F.Min(Vector512.Create(Activation.High), Avx512F.Max(Vector512.Create(Activation.Low), x)),
        _ => Vector512.ConditionalSelect(Vector512.LessThan(x, Vector512<float>.Zero), x * Activation.Low, x),
    };
}
