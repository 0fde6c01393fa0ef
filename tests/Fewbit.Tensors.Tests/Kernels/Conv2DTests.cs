using Fewbit.Tensors.Kernels;
using Fewbit.Tensors.Threading;

namespace Fewbit.Tensors.Tests.Kernels;

[Collection(nameof(KernelPathSwitch))]
public sealed unsafe class Conv2DTests
{
    private const double Tolerance = 2e-6;

    /// <summary>Batch, channels, height, width, outputs, kernel, stride, dilation, pads, groups at the edges.</summary>
    public static TheoryData<string> Shapes => [.. ShapeList.Keys];

    internal static Dictionary<string, Conv2DShape> ShapeList { get; } = new()
    {
        ["one pixel"] = new(1, 1, 1, 1, 1, 1, 1),
        ["pointwise"] = Conv2DShape.Square(2, 19, 9, 23, 1),
        ["pointwise, long sum, 49 pixels"] = Conv2DShape.Square(1, 401, 7, 13, 1),
        ["pointwise, long sum, 50 pixels"] = new(1, 390, 5, 10, 12, 1, 1),
        ["pointwise strided"] = Conv2DShape.Square(1, 16, 9, 20, 1, stride: 2),
        ["3x3"] = Conv2DShape.Square(1, 16, 14, 33, 3, pad: 1),
        ["3x3 long sum"] = Conv2DShape.Square(2, 97, 7, 40, 3, pad: 1),
        ["3x3 wide"] = Conv2DShape.Square(1, 3, 65, 13, 3, pad: 1),
        ["3x3 stride 2"] = Conv2DShape.Square(2, 5, 15, 7, 3, stride: 2, pad: 1),
        ["7x7 stride 2"] = Conv2DShape.Square(1, 3, 30, 17, 7, stride: 2, pad: 3),
        ["few pixels, many channels"] = Conv2DShape.Square(1, 70, 4, 130, 3, pad: 1),
        ["uneven"] = new(1, 4, 9, 17, 6, 2, 5) { StrideHeight = 3, StrideWidth = 2, DilationHeight = 2, DilationWidth = 3, PadTop = 1, PadLeft = 4, PadBottom = 0, PadRight = 7 },
        ["padding wider than the image"] = new(1, 2, 3, 3, 4, 3, 3) { PadTop = 5, PadLeft = 5, PadBottom = 4, PadRight = 6 },
        ["1-D"] = new(2, 6, 1, 50, 8, 1, 5) { PadLeft = 2, PadRight = 2, DilationWidth = 2 },
        ["groups"] = Conv2DShape.Square(2, 12, 10, 18, 3, pad: 1, groups: 3),
        ["depthwise 3x3"] = Conv2DShape.Square(2, 9, 14, 9, 3, pad: 1, groups: 9),
        ["depthwise 3x3 stride 2"] = Conv2DShape.Square(1, 5, 15, 5, 3, stride: 2, pad: 1, groups: 5),
        ["depthwise 3x3 stride 2, even"] = Conv2DShape.Square(1, 5, 112, 5, 3, stride: 2, pad: 1, groups: 5),
        ["depthwise 5x5"] = Conv2DShape.Square(1, 4, 11, 4, 5, pad: 2, groups: 4),
        ["depthwise multiplier"] = Conv2DShape.Square(1, 4, 7, 12, 3, pad: 1, groups: 4),
        ["depthwise uneven"] = new(1, 3, 9, 17, 3, 2, 5) { Groups = 3, StrideHeight = 3, StrideWidth = 2, DilationHeight = 2, DilationWidth = 3, PadTop = 1, PadLeft = 4, PadRight = 7 },
        ["depthwise, padding wider than the image"] = new(1, 2, 2, 2, 2, 3, 3) { Groups = 2, PadTop = 5, PadLeft = 5, PadBottom = 4, PadRight = 6, StrideWidth = 3 },
        ["empty batch"] = Conv2DShape.Square(0, 4, 7, 12, 3),
        ["kernel larger than the image"] = Conv2DShape.Square(1, 4, 2, 12, 3),
    };

    [Theory]
    [MemberData(nameof(Shapes))]
    public void Run_EveryPath_EqualsReference(string name) => Paths.Each(path =>
    {
        Conv2DShape shape = ShapeList[name];
        using var x = Numbers.Floats(shape.Batch * shape.InChannels * shape.InPlane, 1);
        using var w = Numbers.Floats(shape.OutChannels * shape.Inner, 2);
        using var bias = Numbers.Floats(shape.OutChannels, 3);
        int outputs = shape.Batch * shape.OutChannels * shape.OutPlane;
        using var residual = Numbers.Floats(outputs, 4);
        using var packed = new NativeBuffer<byte>(Conv2D.PackedWeightBytes(shape));
        Conv2D.PackWeights(shape, w.Pointer, (float*)packed.Pointer);
        foreach (Epilogue epilogue in new Epilogue[] { default, new() { RowBias = bias.Pointer, Residual = residual.Pointer, Activation = Activation.Relu } })
        {
            using var actual = new NativeBuffer<float>(outputs);
            using var expected = new NativeBuffer<float>(outputs);
            using var scratch = new NativeBuffer<byte>(Conv2D.ScratchBytes(shape));
            Conv2D.Run(shape, x.Pointer, (float*)packed.Pointer, epilogue, actual.Pointer, scratch.Pointer);
            Conv2D.Reference(shape, x.Pointer, w.Pointer, epilogue, expected.Pointer);
            Assert.True(Numbers.RelativeError(actual.Span, expected.Span) < Tolerance, $"{path}");
        }
    });

    [Theory]
    [MemberData(nameof(Shapes))]
    public void Backward_EveryPath_EqualsReference(string name) => Paths.Each(path =>
    {
        Conv2DShape shape = ShapeList[name];
        int inputs = shape.Batch * shape.InChannels * shape.InPlane, outputs = shape.Batch * shape.OutChannels * shape.OutPlane, weights = shape.OutChannels * shape.Inner;
        using var x = Numbers.Floats(inputs, 1);
        using var w = Numbers.Floats(weights, 2);
        using var dy = Numbers.Floats(outputs, 3);
        using var dx = new NativeBuffer<float>(inputs);
        using var expectedDx = new NativeBuffer<float>(inputs);
        using var dw = new NativeBuffer<float>(weights);
        using var expectedDw = new NativeBuffer<float>(weights);
        using var scratchX = new NativeBuffer<byte>(Conv2DBackwardData.ScratchBytes(shape));
        using var scratchW = new NativeBuffer<byte>(Conv2DBackwardWeights.ScratchBytes(shape));
        Conv2DBackwardData.Run(shape, dy.Pointer, w.Pointer, default, dx.Pointer, scratchX.Pointer);
        Conv2DBackwardData.Reference(shape, dy.Pointer, w.Pointer, expectedDx.Pointer);
        Assert.True(Numbers.RelativeError(dx.Span, expectedDx.Span) < Tolerance, $"{path}, data");
        Conv2DBackwardWeights.Run(shape, x.Pointer, dy.Pointer, dw.Pointer, scratchW.Pointer);
        Conv2DBackwardWeights.Reference(shape, x.Pointer, dy.Pointer, expectedDw.Pointer);
        Assert.True(Numbers.RelativeError(dw.Span, expectedDw.Span) < Tolerance, $"{path}, weights");
    });

    [Fact]
    public void BackwardData_TransposedConvolution_AddsBiasAndActivationEverywhere() => Paths.Each(path =>
    {
        // Kernel 1 at stride 2: three of four phases see no tap, and hold the bias alone.
        Conv2DShape shape = Conv2DShape.Square(1, 3, 5, 4, 1, stride: 2);
        using var dy = Numbers.Floats(4 * 9, 1);
        using var w = Numbers.Floats(12, 2);
        using var bias = NativeBuffer<float>.Of(3, i => i - 1);
        using var dx = new NativeBuffer<float>(75);
        using var expected = new NativeBuffer<float>(75);
        using var scratch = new NativeBuffer<byte>(Conv2DBackwardData.ScratchBytes(shape));
        Conv2DBackwardData.Run(shape, dy.Pointer, w.Pointer, new Epilogue { RowBias = bias.Pointer, Activation = Activation.Relu }, dx.Pointer, scratch.Pointer);
        Conv2DBackwardData.Reference(shape, dy.Pointer, w.Pointer, expected.Pointer);
        for (int i = 0; i < 75; i++) expected.Pointer[i] = MathF.Max(0, expected.Pointer[i] + bias.Pointer[i / 25]);
        Assert.True(Numbers.RelativeError(dx.Span, expected.Span) < Tolerance, $"{path}");
    });

    [Fact]
    public void Run_OneOrManyThreads_GivesTheSameBytes()
    {
        foreach (Conv2DShape shape in ShapeList.Values)
        {
            int outputs = shape.Batch * shape.OutChannels * shape.OutPlane;
            using var x = Numbers.Floats(shape.Batch * shape.InChannels * shape.InPlane, 1);
            using var w = Numbers.Floats(shape.OutChannels * shape.Inner, 2);
            using var packed = new NativeBuffer<byte>(Conv2D.PackedWeightBytes(shape));
            using var scratch = new NativeBuffer<byte>(Conv2D.ScratchBytes(shape));
            using var one = new NativeBuffer<float>(outputs);
            using var many = new NativeBuffer<float>(outputs);
            Conv2D.PackWeights(shape, w.Pointer, (float*)packed.Pointer);
            int threads = Workers.ThreadCount;
            try
            {
                Workers.ThreadCount = 1;
                Conv2D.Run(shape, x.Pointer, (float*)packed.Pointer, default, one.Pointer, scratch.Pointer);
                Workers.ThreadCount = 3;
                Conv2D.Run(shape, x.Pointer, (float*)packed.Pointer, default, many.Pointer, scratch.Pointer);
            }
            finally
            {
                Workers.ThreadCount = threads;
            }
            Assert.True(one.Span.SequenceEqual(many.Span));
        }
    }

    [Fact]
    public void CopyOfPlane_OfAnySize_WritesNothingBehindIt()
    {
        // Chunks copy neighbouring planes at the same time: zeros behind a plane would destroy what another thread has copied.
        const float Untouched = 7;
        float* plane = stackalloc float[256], to = stackalloc float[1024];
        new Span<float>(plane, 256).Fill(1);
        for (int size = 1; size <= 9; size++)
        {
            foreach ((int kernelHeight, int kernelWidth, int stride, int pad) in ((int, int, int, int)[])[(3, 1, 1, 1), (3, 3, 1, 1), (3, 3, 1, 0), (3, 3, 2, 1), (5, 5, 1, 2), (2, 2, 1, 0)])
            {
                if (size + 2 * pad < kernelHeight) continue;
                var phases = new DepthwiseConv2D.Phases(new Conv2DShape(1, 1, size, size, 1, kernelHeight, kernelWidth) { StrideHeight = stride, StrideWidth = stride, PadTop = pad, PadBottom = pad, PadLeft = pad * (kernelWidth / 2), PadRight = pad * (kernelWidth / 2) });
                new Span<float>(to, 1024).Fill(Untouched);
                phases.Copy(plane, plane + 256, to);
                Assert.False(new Span<float>(to + phases.Elements, 64).ContainsAnyExcept(Untouched), $"{size} x {size}, kernel {kernelHeight} x {kernelWidth}, stride {stride}");
            }
        }
    }
}
