using Fewbit.Tensors.Kernels;
using Fewbit.Tensors.Threading;

namespace Fewbit.Tensors.Tests.Kernels;

[Collection(nameof(KernelPathSwitch))]
public sealed unsafe class WinogradTests
{
    /// <summary>The transforms add terms with factors up to 8: about ten times the error of a direct sum.</summary>
    private const double Tolerance = 3e-5;

    public static TheoryData<int, int, int, int, int, int> Shapes => new()
    {
        { 1, 16, 56, 56, 13, 1 },
        { 1, 5, 28, 31, 24, 1 },
        { 2, 17, 13, 7, 12, 0 },
        { 1, 1, 4, 4, 1, 1 },
        { 9, 3, 9, 9, 30, 2 },
        { 1, 400, 6, 6, 14, 1 },
    };

    [Theory]
    [MemberData(nameof(Shapes))]
    public void Run_AnyThreads_EqualsDirectWithinItsError(int batch, int channels, int height, int width, int outputs, int pad)
    {
        if (KernelPaths.Best < KernelPath.Avx512) return;
        var shape = new Conv2DShape(batch, channels, height, width, outputs, 3, 3) { PadTop = pad, PadLeft = pad, PadBottom = pad, PadRight = pad };
        int count = batch * outputs * shape.OutPlane, threads = Workers.ThreadCount;
        using var x = Numbers.Floats(batch * channels * shape.InPlane, 1);
        using var w = Numbers.Floats(outputs * shape.Inner, 2);
        using var bias = Numbers.Floats(outputs, 3);
        using var residual = Numbers.Floats(count, 4);
        using var packed = new NativeBuffer<byte>(WinogradConv2D.PackedWeightBytes(shape));
        using var scratch = new NativeBuffer<byte>(WinogradConv2D.ScratchBytes(shape));
        using var expected = new NativeBuffer<float>(count);
        using var one = new NativeBuffer<float>(count);
        using var many = new NativeBuffer<float>(count);
        var epilogue = new Epilogue { RowBias = bias.Pointer, Residual = residual.Pointer, Activation = Activation.Relu };
        WinogradConv2D.PackWeights(shape, w.Pointer, (float*)packed.Pointer);
        Conv2D.Reference(shape, x.Pointer, w.Pointer, epilogue, expected.Pointer);
        try
        {
            Workers.ThreadCount = 1;
            WinogradConv2D.Run(shape, x.Pointer, (float*)packed.Pointer, epilogue, one.Pointer, scratch.Pointer);
            Workers.ThreadCount = 3;
            WinogradConv2D.Run(shape, x.Pointer, (float*)packed.Pointer, epilogue, many.Pointer, scratch.Pointer);
        }
        finally
        {
            Workers.ThreadCount = threads;
        }
        Assert.True(Numbers.RelativeError(one.Span, expected.Span) < Tolerance);
        Assert.True(one.Span.SequenceEqual(many.Span));
    }

    [Fact]
    public void Fits_WideLayersOnly()
    {
        if (KernelPaths.Best < KernelPath.Avx512) return;
        Assert.True(WinogradConv2D.Fits(Conv2DShape.Square(1, 64, 56, 64, 3, pad: 1)));
        Assert.True(WinogradConv2D.Fits(Conv2DShape.Square(1, 128, 28, 128, 3, pad: 1)));
        Assert.False(WinogradConv2D.Fits(Conv2DShape.Square(1, 3, 224, 16, 3, pad: 1)));
        Assert.False(WinogradConv2D.Fits(Conv2DShape.Square(1, 512, 7, 512, 3, pad: 1)));
        Assert.False(WinogradConv2D.Fits(Conv2DShape.Square(1, 64, 56, 64, 3, stride: 2, pad: 1)));
        Assert.False(WinogradConv2D.Fits(Conv2DShape.Square(1, 64, 56, 64, 1)));
    }
}
