using Fewbit.Tensors.Kernels;
using Fewbit.Tensors.Threading;

namespace Fewbit.Tensors.Tests.Kernels;

[Collection(nameof(KernelPathSwitch))]
public sealed unsafe class BlockedConvBackwardTests
{
    private const double Tolerance = 2e-6, WinogradTolerance = 2e-5;

    private static readonly Dictionary<string, Conv2DShape> ShapeList = new(Conv2DTests.ShapeList)
    {
        ["pointwise, two images"] = Conv2DShape.Square(2, 40, 7, 70, 1),
        ["pointwise strided, blocks"] = Conv2DShape.Square(3, 40, 14, 70, 1, stride: 2),
        ["pointwise, padded"] = Conv2DShape.Square(1, 5, 6, 17, 1, pad: 2),
        ["3x3, blocks"] = Conv2DShape.Square(3, 32, 8, 48, 3, pad: 1),
        ["3x3, many pictures"] = Conv2DShape.Square(9, 16, 12, 16, 3, pad: 1),
        ["3x3, sums in ranges"] = Conv2DShape.Square(2, 70, 6, 130, 3, pad: 1),
        ["3x3 stride 2, blocks"] = Conv2DShape.Square(2, 33, 17, 65, 3, stride: 2, pad: 1),
        ["3x3 stride 2, even"] = Conv2DShape.Square(2, 32, 16, 64, 3, stride: 2, pad: 1),
        ["3x3 stride 2, wide"] = new(1, 20, 5, 41, 36, 3, 3) { StrideHeight = 2, StrideWidth = 2, PadTop = 1, PadLeft = 1, PadBottom = 0, PadRight = 1 },
        ["3x3 stride 3"] = Conv2DShape.Square(1, 20, 17, 36, 3, stride: 3, pad: 2),
        ["5x5 stride 2, long sum"] = Conv2DShape.Square(1, 24, 15, 100, 5, stride: 2, pad: 2),
        ["3x3, no padding"] = Conv2DShape.Square(2, 16, 9, 24, 3),
        ["3x3, wide padding"] = Conv2DShape.Square(2, 16, 5, 24, 3, pad: 4),
        ["groups of 16"] = Conv2DShape.Square(2, 48, 9, 48, 3, pad: 1, groups: 3),
        ["groups of 24"] = Conv2DShape.Square(2, 96, 9, 96, 3, stride: 2, pad: 1, groups: 4),
        ["groups of 24, stride 1"] = Conv2DShape.Square(2, 48, 7, 48, 3, pad: 1, groups: 2),
        ["groups of 12 to 20"] = Conv2DShape.Square(1, 36, 7, 60, 3, pad: 1, groups: 3),
        ["groups of 40 to 16"] = Conv2DShape.Square(1, 80, 8, 32, 3, pad: 1, groups: 2),
        ["first layer 3x3"] = Conv2DShape.Square(3, 3, 32, 16, 3, pad: 1),
        ["first layer, 8 channels, 17 columns"] = new(2, 8, 5, 40, 20, 2, 17) { PadLeft = 8, PadRight = 3, PadTop = 2, DilationHeight = 2, StrideWidth = 2 },
        ["first layer, small planes"] = Conv2DShape.Square(9, 4, 6, 16, 5, pad: 2),
        ["first layer 7x7"] = Conv2DShape.Square(2, 3, 37, 64, 7, stride: 2, pad: 3),
        ["depthwise 3x3, blocks"] = Conv2DShape.Square(2, 40, 14, 40, 3, pad: 1, groups: 40),
        ["depthwise 3x3, 7 pixels"] = Conv2DShape.Square(3, 32, 7, 32, 3, pad: 1, groups: 32),
        ["depthwise 3x3, 7 pixels to 4"] = Conv2DShape.Square(1, 32, 7, 32, 3, stride: 2, pad: 1, groups: 32),
        ["depthwise 3x3, 14 pixels to 7"] = Conv2DShape.Square(2, 32, 14, 32, 3, stride: 2, pad: 1, groups: 32),
        ["depthwise 3x3 stride 2, past the caches"] = Conv2DShape.Square(2, 64, 182, 64, 3, stride: 2, pad: 1, groups: 64),
        ["depthwise 3x3, wide"] = Conv2DShape.Square(1, 18, 57, 18, 3, pad: 1, groups: 18),
        ["depthwise 5x5 stride 2"] = Conv2DShape.Square(1, 24, 29, 24, 5, stride: 2, pad: 2, groups: 24),
        ["depthwise 3x3, no padding"] = Conv2DShape.Square(1, 18, 12, 18, 3, groups: 18),
        ["depthwise 3x3 stride 5, dilated"] = Conv2DShape.Square(1, 16, 60, 16, 3, stride: 5, pad: 4, groups: 16) with { DilationHeight = 3, DilationWidth = 4 },
    };

    public static TheoryData<string> Shapes => [.. ShapeList.Keys];

    [Theory]
    [MemberData(nameof(Shapes))]
    public void BackwardData_EqualsReferenceOnAnyThreads(string name) => Paths.Each(path =>
    {
        Conv2DShape shape = ShapeList[name];
        if (!BlockedConvBackwardData.Fits(shape)) return;
        using var layer = new Layer(shape);
        foreach ((bool allowsWinograd, bool adds) in new[] { (false, false), (false, true), (true, true) })
        {
            using var scratch = new NativeBuffer<byte>(BlockedConvBackwardData.ScratchBytes(shape, allowsWinograd));
            double error = layer.DataError(adds, (added, dx) => BlockedConvBackwardData.Run(shape, allowsWinograd, layer.BlockedDy.Pointer, layer.Weights.Pointer, (float*)added, (float*)dx, scratch.Pointer));
            Assert.True(error < (allowsWinograd ? WinogradTolerance : Tolerance), $"{path}, Winograd {allowsWinograd}, adds {adds}: {error}");
        }
    });

    [Theory]
    [MemberData(nameof(Shapes))]
    public void BackwardWeights_EqualsReferenceOnAnyThreads(string name) => Paths.Each(path =>
    {
        Conv2DShape shape = ShapeList[name];
        if (!BlockedConvBackwardWeights.Fits(shape)) return;
        using var layer = new Layer(shape);
        using var scratch = new NativeBuffer<byte>(BlockedConvBackwardWeights.ScratchBytes(shape, false));
        double error = layer.WeightsError(dw => BlockedConvBackwardWeights.Run(shape, false, layer.Blocked.Pointer, layer.BlockedDy.Pointer, (float*)dw, scratch.Pointer));
        Assert.True(error < Tolerance, $"{path}: {error}");
        if (!BlockedWinogradConv2D.Exists(shape)) return;
        using var small = new NativeBuffer<byte>(WinogradBackwardWeights.ScratchBytes<WinogradTile2>(shape));
        using var large = new NativeBuffer<byte>(WinogradBackwardWeights.ScratchBytes<WinogradTile4>(shape));
        error = layer.WeightsError(dw => WinogradBackwardWeights.Run<WinogradTile2>(shape, layer.Blocked.Pointer, layer.BlockedDy.Pointer, (float*)dw, small.Pointer));
        Assert.True(error < Tolerance, $"{path}, F(2,3): {error}");
        error = layer.WeightsError(dw => WinogradBackwardWeights.Run<WinogradTile4>(shape, layer.Blocked.Pointer, layer.BlockedDy.Pointer, (float*)dw, large.Pointer));
        Assert.True(error < WinogradTolerance, $"{path}, F(4,3): {error}");
    });

    [Theory]
    [MemberData(nameof(Shapes))]
    public void BackwardWeights_OfPlanes_EqualsReferenceOnAnyThreads(string name) => Paths.Each(path =>
    {
        Conv2DShape shape = ShapeList[name];
        if (!PlanarConvBackwardWeights.Fits(shape)) return;
        using var layer = new Layer(shape);
        using var scratch = new NativeBuffer<byte>(PlanarConvBackwardWeights.ScratchBytes(shape));
        double error = layer.WeightsError(dw => PlanarConvBackwardWeights.Run(shape, layer.Planes.Pointer, layer.BlockedDy.Pointer, (float*)dw, scratch.Pointer));
        Assert.True(error < Tolerance, $"{path}: {error}");
    });

    [Fact]
    public void BackwardData_Fits_WantsAvx512() => Paths.Each(path =>
    {
        bool isWide = path >= KernelPath.Avx512;
        Assert.Equal(isWide, BlockedConvBackwardData.Fits(Conv2DShape.Square(2, 64, 56, 64, 3, pad: 1)));
        Assert.Equal(isWide, BlockedConvBackwardData.Fits(Conv2DShape.Square(2, 64, 56, 128, 3, stride: 2, pad: 1)));
        Assert.Equal(isWide, BlockedConvBackwardData.Fits(Conv2DShape.Square(2, 64, 56, 128, 1, stride: 2)));
        Assert.False(BlockedConvBackwardData.Fits(Conv2DShape.Square(0, 64, 56, 64, 3, pad: 1)));
    });

    /// <summary>Random operands of one layer in both layouts, and its gradients by the references.</summary>
    private sealed class Layer : IDisposable
    {
        private readonly Conv2DShape _shape;
        private readonly NativeBuffer<float> _added, _blockedAdded, _dx, _dw;

        public Layer(Conv2DShape shape)
        {
            _shape = shape;
            Planes = Numbers.Floats(shape.Batch * shape.InChannels * shape.InPlane, 1);
            Weights = Numbers.Floats(shape.OutChannels * shape.Inner, 2);
            Dy = Numbers.Floats(shape.Batch * shape.OutChannels * shape.OutPlane, 3);
            _added = Numbers.Floats(Planes.Count, 4);
            Blocked = Block(Planes, shape.InChannels, shape.InPlane);
            BlockedDy = Block(Dy, shape.OutChannels, shape.OutPlane);
            _blockedAdded = Block(_added, shape.InChannels, shape.InPlane);
            _dx = new(Planes.Count);
            _dw = new(Weights.Count);
            Conv2DBackwardData.Reference(shape, Dy.Pointer, Weights.Pointer, _dx.Pointer);
            Conv2DBackwardWeights.Reference(shape, Planes.Pointer, Dy.Pointer, _dw.Pointer);
        }

        public NativeBuffer<float> Planes { get; }

        public NativeBuffer<float> Blocked { get; }

        public NativeBuffer<float> Weights { get; }

        public NativeBuffer<float> Dy { get; }

        public NativeBuffer<float> BlockedDy { get; }

        /// <summary>The error of dx; the same bytes on one and three threads, and where what is added is dx itself.</summary>
        public double DataError(bool adds, Action<nint, nint> run)
        {
            using var one = new NativeBuffer<float>(_blockedAdded.Count);
            using var many = new NativeBuffer<float>(_blockedAdded.Count);
            using var actual = new NativeBuffer<float>(_dx.Count);
            OnThreads(1, () => run(adds ? (nint)_blockedAdded.Pointer : 0, (nint)one.Pointer));
            _blockedAdded.Span.CopyTo(many.Span);
            OnThreads(3, () => run(adds ? (nint)many.Pointer : 0, (nint)many.Pointer));
            Assert.True(one.Span.SequenceEqual(many.Span));
            ChannelBlocks.ToRowMajor(one.Pointer, _shape.Batch, _shape.InChannels, _shape.InPlane, actual.Pointer);
            float[] expected = _dx.Span.ToArray();
            for (int i = 0; adds && i < expected.Length; i++) expected[i] += _added.Pointer[i];
            return Numbers.RelativeError(actual.Span, expected);
        }

        /// <summary>The error of dw; the same bytes on one and three threads.</summary>
        public double WeightsError(Action<nint> run)
        {
            using var one = new NativeBuffer<float>(_dw.Count);
            using var many = new NativeBuffer<float>(_dw.Count);
            OnThreads(1, () => run((nint)one.Pointer));
            OnThreads(3, () => run((nint)many.Pointer));
            Assert.True(one.Span.SequenceEqual(many.Span));
            return Numbers.RelativeError(one.Span, _dw.Span);
        }

        public void Dispose()
        {
            foreach (NativeBuffer<float> buffer in new[] { Planes, Blocked, Weights, Dy, BlockedDy, _added, _blockedAdded, _dx, _dw }) buffer.Dispose();
        }

        private static void OnThreads(int count, Action run)
        {
            int threads = Workers.ThreadCount;
            try
            {
                Workers.ThreadCount = count;
                run();
            }
            finally
            {
                Workers.ThreadCount = threads;
            }
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
