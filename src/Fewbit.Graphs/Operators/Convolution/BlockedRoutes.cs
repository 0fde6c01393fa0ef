using Fewbit.Tensors.Kernels;

namespace Fewbit.Graphs.Operators;

/// <summary>A way to compute a convolution whose output is in blocks of channels.</summary>
internal unsafe interface IBlockedRoute
{
    /// <summary>Equal for shapes whose weights are packed alike.</summary>
    static abstract Conv2DShape PackingKey(in Conv2DShape shape);

    static abstract long PackedWeightBytes(in Conv2DShape shape);

    static abstract void PackWeights(in Conv2DShape shape, float* weights, float* packed);

    static abstract long ScratchBytes(in Conv2DShape shape);

    static abstract void Run(in Conv2DShape shape, float* x, float* packed, in BlockedEpilogue epilogue, float* y, void* scratch);

    /// <summary>Scratch of <see cref="RunOnce"/>.</summary>
    static abstract long ScratchOnceBytes(in Conv2DShape shape);

    /// <summary>The convolution with row-major weights that change from run to run.</summary>
    static abstract void RunOnce(in Conv2DShape shape, float* x, float* weights, in BlockedEpilogue epilogue, float* y, void* scratch);
}

/// <summary>Weights that change from run to run: packed, then used.</summary>
internal static unsafe class PackThenRun<TRoute> where TRoute : struct, IBlockedRoute
{
    public static long ScratchBytes(in Conv2DShape shape) => PackedBytes(shape) + TRoute.ScratchBytes(shape);

    public static void Run(in Conv2DShape shape, float* x, float* weights, in BlockedEpilogue epilogue, float* y, void* scratch)
    {
        TRoute.PackWeights(shape, weights, (float*)scratch);
        TRoute.Run(shape, x, (float*)scratch, epilogue, y, (byte*)scratch + PackedBytes(shape));
    }

    private static long PackedBytes(in Conv2DShape shape) => (TRoute.PackedWeightBytes(shape) + 63) / 64 * 64;
}

/// <summary>Sums as they are defined, on blocks.</summary>
internal readonly unsafe struct DirectRoute : IBlockedRoute
{
    public static Conv2DShape PackingKey(in Conv2DShape shape) => shape with { Batch = 1 };

    public static long PackedWeightBytes(in Conv2DShape shape) => BlockedConv2D.PackedWeightBytes(shape);

    public static void PackWeights(in Conv2DShape shape, float* weights, float* packed) => BlockedConv2D.PackWeights(shape, weights, packed);

    public static long ScratchBytes(in Conv2DShape shape) => BlockedConv2D.ScratchBytes(shape);

    public static long ScratchOnceBytes(in Conv2DShape shape) => PackThenRun<DirectRoute>.ScratchBytes(shape);

    public static void RunOnce(in Conv2DShape shape, float* x, float* weights, in BlockedEpilogue epilogue, float* y, void* scratch) => PackThenRun<DirectRoute>.Run(shape, x, weights, epilogue, y, scratch);

    public static void Run(in Conv2DShape shape, float* x, float* packed, in BlockedEpilogue epilogue, float* y, void* scratch) => BlockedConv2D.Run(shape, x, packed, epilogue, y, scratch);
}

/// <summary>Sums as they are defined, of a few row-major planes.</summary>
internal readonly unsafe struct PlanesRoute : IBlockedRoute
{
    public static Conv2DShape PackingKey(in Conv2DShape shape) => shape with { Batch = 1 };

    public static long PackedWeightBytes(in Conv2DShape shape) => PlanarBlockedConv2D.PackedWeightBytes(shape);

    public static void PackWeights(in Conv2DShape shape, float* weights, float* packed) => PlanarBlockedConv2D.PackWeights(shape, weights, packed);

    public static long ScratchBytes(in Conv2DShape shape) => PlanarBlockedConv2D.ScratchBytes(shape);

    public static long ScratchOnceBytes(in Conv2DShape shape) => PackThenRun<PlanesRoute>.ScratchBytes(shape);

    public static void RunOnce(in Conv2DShape shape, float* x, float* weights, in BlockedEpilogue epilogue, float* y, void* scratch) => PackThenRun<PlanesRoute>.Run(shape, x, weights, epilogue, y, scratch);

    public static void Run(in Conv2DShape shape, float* x, float* packed, in BlockedEpilogue epilogue, float* y, void* scratch) => PlanarBlockedConv2D.Run(shape, x, packed, epilogue, y, scratch);
}

/// <summary>Winograd's transform, on blocks.</summary>
internal readonly unsafe struct WinogradRoute : IBlockedRoute
{
    public static Conv2DShape PackingKey(in Conv2DShape shape) => shape;

    public static long PackedWeightBytes(in Conv2DShape shape) => BlockedWinogradConv2D.PackedWeightBytes(shape);

    public static void PackWeights(in Conv2DShape shape, float* weights, float* packed) => BlockedWinogradConv2D.PackWeights(shape, weights, packed);

    public static long ScratchBytes(in Conv2DShape shape) => BlockedWinogradConv2D.ScratchBytes(shape);

    public static long ScratchOnceBytes(in Conv2DShape shape) => BlockedWinogradConv2D.ScratchOnceBytes(shape);

    public static void RunOnce(in Conv2DShape shape, float* x, float* weights, in BlockedEpilogue epilogue, float* y, void* scratch) =>
        BlockedWinogradConv2D.RunOnce(shape, x, WeightView.Of(shape, weights), epilogue, y, scratch);

    public static void Run(in Conv2DShape shape, float* x, float* packed, in BlockedEpilogue epilogue, float* y, void* scratch) => BlockedWinogradConv2D.Run(shape, x, packed, epilogue, y, scratch);
}

/// <summary>The row-major convolution between two conversions: for the size or the instruction path that the others do not take.</summary>
internal readonly unsafe struct ConvertingRoute : IBlockedRoute
{
    public static Conv2DShape PackingKey(in Conv2DShape shape) => new(1, shape.InChannels, 1, 1, shape.OutChannels, shape.KernelHeight, shape.KernelWidth) { Groups = shape.Groups };

    public static long PackedWeightBytes(in Conv2DShape shape) => Conv2D.PackedWeightBytes(shape);

    public static void PackWeights(in Conv2DShape shape, float* weights, float* packed) => Conv2D.PackWeights(shape, weights, packed);

    public static long ScratchBytes(in Conv2DShape shape) => Conv2D.ScratchBytes(shape) + Aligned(InFloats(shape)) + 2 * Aligned(OutFloats(shape));

    public static long ScratchOnceBytes(in Conv2DShape shape) => PackThenRun<ConvertingRoute>.ScratchBytes(shape);

    public static void RunOnce(in Conv2DShape shape, float* x, float* weights, in BlockedEpilogue epilogue, float* y, void* scratch) => PackThenRun<ConvertingRoute>.Run(shape, x, weights, epilogue, y, scratch);

    public static void Run(in Conv2DShape shape, float* x, float* packed, in BlockedEpilogue epilogue, float* y, void* scratch)
    {
        float* planes = (float*)scratch, result = (float*)((byte*)planes + Aligned(InFloats(shape))), residual = (float*)((byte*)result + Aligned(OutFloats(shape)));
        var plain = new Epilogue { RowBias = epilogue.Bias, Activation = epilogue.Activation };
        ChannelBlocks.ToRowMajor(x, shape.Batch, shape.InChannels, shape.InPlane, planes);
        if (epilogue.Residual != null)
        {
            ChannelBlocks.ToRowMajor(epilogue.Residual, shape.Batch, shape.OutChannels, shape.OutPlane, residual);
            plain.Residual = residual;
        }
        Conv2D.Run(shape, planes, packed, plain, result, (byte*)residual + Aligned(OutFloats(shape)));
        ChannelBlocks.FromRowMajor(result, shape.Batch, shape.OutChannels, shape.OutPlane, y);
    }

    private static long InFloats(in Conv2DShape shape) => (long)shape.Batch * shape.InChannels * shape.InPlane;

    private static long OutFloats(in Conv2DShape shape) => (long)shape.Batch * shape.OutChannels * shape.OutPlane;

    private static long Aligned(long floats) => (floats * sizeof(float) + 63) / 64 * 64;
}
