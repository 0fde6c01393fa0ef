using Fewbit.Tensors.Kernels;
using Fewbit.Tensors.Threading;

namespace Fewbit.Tensors.Tests.Kernels;

[Collection(nameof(KernelPathSwitch))]
public sealed unsafe class BlockedWinogradTests
{
    private const int Lanes = 16;

    /// <summary>Batch, channels, height, width, outputs, padding top, left, bottom, right.</summary>
    public static TheoryData<int, int, int, int, int, int[]> Shapes => new()
    {
        { 1, 64, 28, 28, 64, [1, 1, 1, 1] },
        { 2, 20, 9, 37, 40, [1, 1, 1, 1] },
        { 3, 33, 13, 7, 50, [0, 2, 1, 0] },
        { 1, 16, 3, 3, 16, [0, 0, 0, 0] },
        { 1, 1, 1, 1, 1, [1, 1, 1, 1] },
        { 30, 16, 32, 32, 16, [1, 1, 1, 1] },
        { 1, 400, 7, 7, 48, [1, 1, 1, 1] },
        { 5, 16, 6, 11, 17, [2, 3, 4, 5] },
    };

    [Theory]
    [MemberData(nameof(Shapes))]
    public void Run_BothTileSizes_EqualsDirectWithinItsError(int batch, int channels, int height, int width, int outputs, int[] pads)
    {
        if (KernelPaths.Best < KernelPath.Avx512) return;
        var shape = new Conv2DShape(batch, channels, height, width, outputs, 3, 3) { PadTop = pads[0], PadLeft = pads[1], PadBottom = pads[2], PadRight = pads[3] };
        using var convolution = new Convolution(shape);
        Assert.True(convolution.Error<WinogradTile2>(Activation.Relu) < 2e-6); // factors up to 1: the error of a direct sum
        Assert.True(convolution.Error<WinogradTile4>(Activation.Relu) < 2e-5); // factors up to 8: about ten times that
    }

    [Theory]
    [InlineData(1, 300, 7, 250)]
    [InlineData(3, 256, 6, 272)]
    public void RunOnce_ManyWeights_EqualsDirectWithinItsError(int batch, int channels, int size, int outputs)
    {
        if (KernelPaths.Best < KernelPath.Avx512) return;
        Conv2DShape shape = Conv2DShape.Square(batch, channels, size, outputs, 3, pad: 1);
        Assert.True(WinogradOnce<WinogradTile4>.Fits(shape));
        using var convolution = new Convolution(shape);
        Assert.True(convolution.Error(Activation.Relu, convolution.RunOnce) < 2e-5);
    }

    [Fact]
    public void Run_EveryActivation_EqualsDirect()
    {
        if (KernelPaths.Best < KernelPath.Avx512) return;
        using var convolution = new Convolution(Conv2DShape.Square(2, 16, 8, 32, 3, pad: 1));
        foreach (Activation activation in new[] { Activation.None, Activation.Relu, Activation.Clip(-6, 8), Activation.LeakyRelu(0.1f) })
            Assert.True(convolution.Error<WinogradTile4>(activation) < 2e-5, $"{activation}");
    }

    [Fact]
    public void Run_NanInput_ReachesItsOutputsOnly()
    {
        if (KernelPaths.Best < KernelPath.Avx512) return;
        using var convolution = new Convolution(Conv2DShape.Square(1, 16, 12, 16, 3, pad: 1));
        convolution.X[0] = float.NaN;
        convolution.Run<WinogradTile4>(Activation.Relu);
        Assert.True(float.IsNaN(convolution.Y[0]));
        Assert.False(float.IsNaN(convolution.Y[12 * 12 * Lanes - 1]));
    }

    [Fact]
    public void Fits_WhereFewerMultiplicationsPay()
    {
        if (KernelPaths.Best < KernelPath.Avx512) return;
        Assert.True(BlockedWinogradConv2D.Fits(Conv2DShape.Square(1, 64, 56, 64, 3, pad: 1)));
        Assert.True(BlockedWinogradConv2D.Fits(Conv2DShape.Square(64, 16, 32, 16, 3, pad: 1)));
        Assert.True(BlockedWinogradConv2D.UsesLargeTiles(Conv2DShape.Square(1, 256, 14, 256, 3, pad: 1)));
        Assert.False(BlockedWinogradConv2D.UsesLargeTiles(Conv2DShape.Square(1, 512, 7, 512, 3, pad: 1)));
        Assert.False(BlockedWinogradConv2D.Fits(Conv2DShape.Square(1, 3, 224, 16, 3, pad: 1)));
        Assert.False(BlockedWinogradConv2D.Fits(Conv2DShape.Square(1, 64, 1, 64, 3, pad: 1)));
        Assert.False(BlockedWinogradConv2D.Fits(Conv2DShape.Square(1, 64, 56, 64, 3, stride: 2, pad: 1)));
        Assert.False(BlockedWinogradConv2D.Fits(Conv2DShape.Square(1, 64, 56, 64, 1)));
        Assert.False(BlockedWinogradConv2D.Fits(Conv2DShape.Square(1, 64, 56, 64, 3, pad: 1, groups: 2)));
    }

    /// <summary>Operands of one convolution in both layouts.</summary>
    private sealed class Convolution : IDisposable
    {
        private readonly Conv2DShape _shape;
        private readonly NativeBuffer<float> _x, _w, _bias, _residual, _y, _blockedX, _blockedResidual, _blockedY;

        public Convolution(Conv2DShape shape)
        {
            _shape = shape;
            int inputs = (shape.InChannels + 15) / 16 * 16, outputs = (shape.OutChannels + 15) / 16 * 16;
            _x = Numbers.Floats(shape.Batch * shape.InChannels * shape.InPlane, 1);
            _w = Numbers.Floats(shape.OutChannels * shape.Inner, 2);
            _bias = NativeBuffer<float>.Of(outputs, i => i < shape.OutChannels ? i % 5 - 2 : 0);
            _residual = Numbers.Floats(shape.Batch * shape.OutChannels * shape.OutPlane, 4);
            _y = new(_residual.Count);
            _blockedX = new((long)shape.Batch * inputs * shape.InPlane);
            _blockedResidual = new((long)shape.Batch * outputs * shape.OutPlane);
            _blockedY = new(_blockedResidual.Count);
            Block(_x.Span, _blockedX.Span, shape.InChannels, shape.InPlane);
            Block(_residual.Span, _blockedResidual.Span, shape.OutChannels, shape.OutPlane);
        }

        public Span<float> X => _blockedX.Span;

        public Span<float> Y => _blockedY.Span;

        /// <summary>Largest difference from sums in double precision; the same bytes with one and three threads.</summary>
        public double Error<TTile>(Activation activation) where TTile : struct, IWinogradTile => Error(activation, Run<TTile>);

        public double Error(Activation activation, Action<Activation> run)
        {
            Conv2D.Reference(_shape, _x.Pointer, _w.Pointer, new Epilogue { RowBias = _bias.Pointer, Residual = _residual.Pointer, Activation = activation }, _y.Pointer);
            float[] expected = new float[_blockedY.Count];
            Block(_y.Span, expected, _shape.OutChannels, _shape.OutPlane);
            int threads = Workers.ThreadCount;
            try
            {
                Workers.ThreadCount = 1;
                run(activation);
                float[] one = Y.ToArray();
                Workers.ThreadCount = 3;
                run(activation);
                Assert.True(Y.SequenceEqual(one));
            }
            finally
            {
                Workers.ThreadCount = threads;
            }
            return Numbers.RelativeError(Y, expected);
        }

        public void Run<TTile>(Activation activation) where TTile : struct, IWinogradTile
        {
            using var packed = new NativeBuffer<float>(WinogradWeights.Floats<TTile>(_shape.OutChannels, _shape.InChannels));
            WinogradWeights.Pack<TTile>(_shape.OutChannels, _shape.InChannels, WeightView.Of(_shape, _w.Pointer), packed.Pointer);
            Y.Fill(float.NaN);
            BlockedWinogradConv2D.Run<TTile>(_shape, _blockedX.Pointer, packed.Pointer, new BlockedEpilogue { Bias = _bias.Pointer, Residual = _blockedResidual.Pointer, Activation = activation }, _blockedY.Pointer);
        }

        public void RunOnce(Activation activation)
        {
            using var scratch = new NativeBuffer<byte>(WinogradOnce<WinogradTile4>.ScratchBytes(_shape));
            Y.Fill(float.NaN);
            WinogradOnce<WinogradTile4>.Run(_shape, _blockedX.Pointer, WeightView.Of(_shape, _w.Pointer), new BlockedEpilogue { Bias = _bias.Pointer, Residual = _blockedResidual.Pointer, Activation = activation }, _blockedY.Pointer, (float*)scratch.Pointer);
        }

        public void Dispose()
        {
            foreach (NativeBuffer<float> buffer in new[] { _x, _w, _bias, _residual, _y, _blockedX, _blockedResidual, _blockedY }) buffer.Dispose();
        }

        private static void Block(ReadOnlySpan<float> planes, Span<float> blocked, int channels, int plane)
        {
            int blocks = (channels + Lanes - 1) / Lanes;
            blocked.Clear();
            for (int i = 0; i < planes.Length; i++)
            {
                int image = i / plane / channels, channel = i / plane % channels;
                blocked[((image * blocks + channel / Lanes) * plane + i % plane) * Lanes + channel % Lanes] = planes[i];
            }
        }
    }
}
