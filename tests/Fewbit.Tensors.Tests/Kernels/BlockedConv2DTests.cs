using Fewbit.Tensors.Kernels;
using Fewbit.Tensors.Threading;

namespace Fewbit.Tensors.Tests.Kernels;

[Collection(nameof(KernelPathSwitch))]
public sealed unsafe class BlockedConv2DTests
{
    private const double Tolerance = 2e-6;

    private static readonly Dictionary<string, Conv2DShape> ShapeList = new(Conv2DTests.ShapeList)
    {
        ["pointwise, blocks of 4, 3 and 3"] = Conv2DShape.Square(1, 40, 7, 150, 1),
        ["pointwise, sums in ranges"] = Conv2DShape.Square(1, 1200, 5, 70, 1),
        ["3x3, sums in ranges"] = Conv2DShape.Square(2, 130, 6, 64, 3, pad: 1),
        ["pointwise, one pixel"] = Conv2DShape.Square(3, 64, 1, 33, 1),
        ["pointwise, 5 channels"] = Conv2DShape.Square(2, 5, 9, 23, 1),
        ["pointwise, padded"] = Conv2DShape.Square(1, 5, 6, 17, 1, pad: 2),
        ["3x3 stride 3"] = Conv2DShape.Square(1, 20, 17, 36, 3, stride: 3, pad: 2),
        ["groups of 16"] = Conv2DShape.Square(1, 48, 9, 48, 3, pad: 1, groups: 3),
        ["groups of 24"] = Conv2DShape.Square(2, 96, 9, 96, 3, stride: 2, pad: 1, groups: 4),
        ["groups of 40"] = Conv2DShape.Square(1, 80, 8, 80, 3, pad: 1, groups: 2),
        ["groups of 48"] = Conv2DShape.Square(1, 96, 5, 96, 3, pad: 1, groups: 2),
        ["groups of 8"] = Conv2DShape.Square(1, 40, 7, 40, 3, pad: 1, groups: 5),
        ["groups of 12 to 20"] = Conv2DShape.Square(1, 36, 7, 60, 3, pad: 1, groups: 3),
        ["batch of small planes"] = Conv2DShape.Square(5, 64, 8, 64, 3, pad: 1),
        ["depthwise 3x3, blocks"] = Conv2DShape.Square(2, 40, 14, 40, 3, pad: 1, groups: 40),
        ["depthwise 3x3, 7 pixels"] = Conv2DShape.Square(1, 32, 7, 32, 3, pad: 1, groups: 32),
        ["depthwise 3x3, 7 pixels to 4"] = Conv2DShape.Square(1, 32, 7, 32, 3, stride: 2, pad: 1, groups: 32),
        ["depthwise 3x3, wide"] = Conv2DShape.Square(1, 18, 57, 18, 3, pad: 1, groups: 18),
        ["depthwise 3x3, no padding"] = Conv2DShape.Square(1, 18, 12, 18, 3, groups: 18),
        ["depthwise 7x7"] = Conv2DShape.Square(1, 24, 20, 24, 7, pad: 3, groups: 24),
        ["depthwise, 13 columns"] = new(1, 16, 3, 40, 16, 1, 13) { Groups = 16, PadLeft = 6, PadRight = 6 },
        ["depthwise 3x3 stride 5, dilated"] = Conv2DShape.Square(1, 16, 60, 16, 3, stride: 5, pad: 4, groups: 16) with { DilationHeight = 3, DilationWidth = 4 },
        ["depthwise 5x5 stride 2"] = Conv2DShape.Square(1, 24, 29, 24, 5, stride: 2, pad: 2, groups: 24),
    };

    public static TheoryData<string> Shapes => [.. ShapeList.Keys];

    [Theory]
    [MemberData(nameof(Shapes))]
    public void Run_BlockedInput_EqualsReferenceOnAnyThreads(string name) => Paths.Each(path =>
    {
        Conv2DShape shape = ShapeList[name];
        if (!BlockedConv2D.Fits(shape)) return;
        using var layer = new Layer(shape);
        using var packed = new NativeBuffer<byte>(BlockedConv2D.PackedWeightBytes(shape));
        using var scratch = new NativeBuffer<byte>(BlockedConv2D.ScratchBytes(shape));
        BlockedConv2D.PackWeights(shape, layer.Weights.Pointer, (float*)packed.Pointer);
        layer.Check($"{path}", (epilogue, y) => BlockedConv2D.Run(shape, layer.Blocked.Pointer, (float*)packed.Pointer, epilogue, (float*)y, scratch.Pointer));
    });

    [Theory]
    [MemberData(nameof(Shapes))]
    public void Run_PlanarInput_EqualsReferenceOnAnyThreads(string name) => Paths.Each(path =>
    {
        Conv2DShape shape = ShapeList[name];
        if (!PlanarBlockedConv2D.Fits(shape)) return;
        using var layer = new Layer(shape);
        using var packed = new NativeBuffer<byte>(PlanarBlockedConv2D.PackedWeightBytes(shape));
        using var scratch = new NativeBuffer<byte>(PlanarBlockedConv2D.ScratchBytes(shape));
        PlanarBlockedConv2D.PackWeights(shape, layer.Weights.Pointer, (float*)packed.Pointer);
        layer.Check($"{path}", (epilogue, y) => PlanarBlockedConv2D.Run(shape, layer.Planes.Pointer, (float*)packed.Pointer, epilogue, (float*)y, scratch.Pointer));
    });

    [Fact]
    public void Fits_WantsAvx512AndLittleWaste() => Paths.Each(path =>
    {
        bool isWide = path >= KernelPath.Avx512;
        Assert.Equal(isWide, BlockedConv2D.Fits(Conv2DShape.Square(1, 64, 56, 64, 3, pad: 1)));
        Assert.Equal(isWide, BlockedConv2D.Fits(Conv2DShape.Square(1, 528, 14, 528, 3, pad: 1, groups: 22)));
        Assert.Equal(isWide, BlockedConv2D.Fits(Conv2DShape.Square(1, 32, 14, 32, 3, pad: 1, groups: 32)));
        Assert.Equal(isWide, PlanarBlockedConv2D.Fits(Conv2DShape.Square(1, 3, 224, 64, 7, stride: 2, pad: 3)));
        Assert.False(BlockedConv2D.Fits(Conv2DShape.Square(1, 3, 224, 64, 7, stride: 2, pad: 3)));
        Assert.False(BlockedConv2D.Fits(Conv2DShape.Square(1, 64, 14, 64, 3, pad: 1, groups: 32)));
        Assert.False(BlockedConv2D.Fits(Conv2DShape.Square(0, 64, 56, 64, 3, pad: 1)));
        Assert.False(PlanarBlockedConv2D.Fits(Conv2DShape.Square(1, 64, 56, 64, 3, pad: 1)));
    });

    [Theory]
    [InlineData(1, 16, 16)]
    [InlineData(2, 3, 49)]
    [InlineData(3, 37, 1)]
    [InlineData(1, 33, 515)]
    public void ChannelBlocks_RoundTrip_KeepsValuesAndPadsWithZeros(int images, int channels, int pixels) => Paths.Each(path =>
    {
        using var x = Numbers.Floats(images * channels * pixels, 1);
        using var blocked = new NativeBuffer<float>(ChannelBlocks.Floats(images, channels, pixels));
        using var back = new NativeBuffer<float>(images * channels * pixels);
        ChannelBlocks.FromRowMajor(x.Pointer, images, channels, pixels, blocked.Pointer);
        int blocks = (channels + 15) / 16;
        for (int i = 0; i < blocked.Count; i++)
        {
            int lane = i % 16, pixel = i / 16 % pixels, block = i / 16 / pixels % blocks, image = i / 16 / pixels / blocks, channel = block * 16 + lane;
            float expected = channel < channels ? x.Pointer[((long)image * channels + channel) * pixels + pixel] : 0;
            Assert.True(blocked.Pointer[i] == expected, $"{path}, element {i}");
        }
        ChannelBlocks.ToRowMajor(blocked.Pointer, images, channels, pixels, back.Pointer);
        Assert.True(back.Span.SequenceEqual(x.Span), $"{path}");
    });

    /// <summary>Random operands of one layer in both layouts, and the sums of the reference.</summary>
    private sealed class Layer : IDisposable
    {
        private readonly Conv2DShape _shape;
        private readonly NativeBuffer<float> _bias, _residual, _blockedBias, _blockedResidual;

        public Layer(Conv2DShape shape)
        {
            _shape = shape;
            Planes = Numbers.Floats(shape.Batch * shape.InChannels * shape.InPlane, 1);
            Blocked = Block(Planes, shape.InChannels, shape.InPlane);
            Weights = Numbers.Floats(shape.OutChannels * shape.Inner, 2);
            _bias = Numbers.Floats(shape.OutChannels, 3);
            _blockedBias = NativeBuffer<float>.Of((shape.OutChannels + 15) / 16 * 16, i => i < shape.OutChannels ? _bias.Pointer[i] : 0);
            _residual = Numbers.Floats(shape.Batch * shape.OutChannels * shape.OutPlane, 4);
            _blockedResidual = Block(_residual, shape.OutChannels, shape.OutPlane);
        }

        public NativeBuffer<float> Planes { get; }

        public NativeBuffer<float> Blocked { get; }

        public NativeBuffer<float> Weights { get; }

        public void Check(string what, Action<BlockedEpilogue, nint> run)
        {
            float usual = MathF.Sqrt(_shape.Inner) / 3; // standard deviation of the sums: the clip cuts some of them and leaves their scale
            foreach ((Activation activation, bool hasBias, bool hasResidual) in new[]
            {
                (Activation.None, false, false), (Activation.Relu, true, true), (Activation.Clip(-usual, 2 * usual), true, false), (Activation.LeakyRelu(0.1f), false, true),
            })
                Check($"{what}, {activation}, bias {hasBias}, residual {hasResidual}", activation, hasBias, hasResidual, run);
        }

        public void Dispose()
        {
            foreach (NativeBuffer<float> buffer in new[] { Planes, Blocked, Weights, _bias, _residual, _blockedBias, _blockedResidual }) buffer.Dispose();
        }

        private void Check(string what, Activation activation, bool hasBias, bool hasResidual, Action<BlockedEpilogue, nint> run)
        {
            using var expected = new NativeBuffer<float>(_residual.Count);
            using var one = new NativeBuffer<float>(_blockedResidual.Count);
            using var many = new NativeBuffer<float>(_blockedResidual.Count);
            using var actual = new NativeBuffer<float>(_residual.Count);
            Conv2D.Reference(_shape, Planes.Pointer, Weights.Pointer, new() { RowBias = hasBias ? _bias.Pointer : null, Residual = hasResidual ? _residual.Pointer : null, Activation = activation }, expected.Pointer);
            var epilogue = new BlockedEpilogue { Bias = hasBias ? _blockedBias.Pointer : null, Residual = hasResidual ? _blockedResidual.Pointer : null, Activation = activation };
            int threads = Workers.ThreadCount;
            try
            {
                Workers.ThreadCount = 1;
                run(epilogue, (nint)one.Pointer);
                Workers.ThreadCount = 3;
                // The residual may be the result itself.
                _blockedResidual.Span.CopyTo(many.Span);
                if (hasResidual) epilogue.Residual = many.Pointer;
                run(epilogue, (nint)many.Pointer);
            }
            finally
            {
                Workers.ThreadCount = threads;
            }
            Assert.True(one.Span.SequenceEqual(many.Span), what);
            ChannelBlocks.ToRowMajor(one.Pointer, _shape.Batch, _shape.OutChannels, _shape.OutPlane, actual.Pointer);
            Assert.True(Numbers.RelativeError(actual.Span, expected.Span) < Tolerance, what);
            for (int i = 0; i < one.Count; i++) Assert.True(i / 16 / _shape.OutPlane % ((_shape.OutChannels + 15) / 16) * 16 + i % 16 < _shape.OutChannels || one.Pointer[i] == 0, $"{what}: padding");
        }

        private static NativeBuffer<float> Block(NativeBuffer<float> planes, int channels, int pixels)
        {
            int images = planes.Count == 0 ? 0 : planes.Count / channels / pixels;
            var blocked = new NativeBuffer<float>(ChannelBlocks.Floats(images, channels, pixels));
            ChannelBlocks.FromRowMajor(planes.Pointer, images, channels, pixels, blocked.Pointer);
            return blocked;
        }
    }
}
