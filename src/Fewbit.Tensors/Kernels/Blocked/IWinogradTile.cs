using System.Runtime.CompilerServices;

namespace Fewbit.Tensors.Kernels;

/// <summary>Winograd's transforms of one tile of a 3x3 convolution, 16 channels at a time.</summary>
/// <remarks>Each works on rows, then on columns, a pair of rows at a time: two rows of intermediate values fit the registers, all of them do not.</remarks>
internal unsafe interface IWinogradTile
{
    /// <summary>Outputs on a side.</summary>
    static abstract int Outputs { get; }

    /// <summary>What a tile's transform of 16 channels costs, in vector multiplications; measured on Zen 4.</summary>
    static abstract int TransformCost { get; }

    /// <summary>Transforms 3x3 weights, vectors <paramref name="tapStep"/> floats apart, to vectors <paramref name="step"/> floats apart.</summary>
    static abstract void Kernel(float* taps, nint tapStep, float* to, nint step);

    /// <summary>Transforms a square of inputs, given by its rows, to vectors <paramref name="step"/> floats apart.</summary>
    static abstract void Input(float** rows, float* to, nint step);

    /// <summary>The adjoint of <see cref="Output"/>: transforms a square of gradients of outputs, given by its rows.</summary>
    static abstract void Errors(float** rows, float* to, nint step);

    /// <summary>The adjoint of <see cref="Kernel"/>: transforms vectors <paramref name="step"/> floats apart to the gradients of 3x3 weights, one after the other.</summary>
    static abstract void KernelGradient(float* sums, nint step, float* taps);

    /// <summary>Transforms the products, one vector after the other, and stores the square of outputs.</summary>
    static abstract void Output(float* from, in BlockedSquare to);
}

/// <summary>The transform of inputs.</summary>
internal readonly unsafe struct WinogradInput<TTile> : IWinogradTransform where TTile : struct, IWinogradTile
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Apply(float** rows, float* to, nint step) => TTile.Input(rows, to, step);
}

/// <summary>The transform of gradients of outputs.</summary>
internal readonly unsafe struct WinogradErrors<TTile> : IWinogradTransform where TTile : struct, IWinogradTile
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Apply(float** rows, float* to, nint step) => TTile.Errors(rows, to, step);
}
