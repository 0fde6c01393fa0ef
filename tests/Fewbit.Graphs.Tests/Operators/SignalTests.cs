using System.Numerics;
using Fewbit.Graphs.Operators.Signal;
using Fewbit.Tensors;

namespace Fewbit.Graphs.Tests.Operators;

public sealed class SignalTests
{
    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(8)]
    [InlineData(45)]
    [InlineData(61)]
    [InlineData(67)] // a prime above the largest pass: the chirp
    [InlineData(134)]
    [InlineData(210)]
    public void Run_AnyLength_IsTheSumOfTheDefinition(int length)
    {
        var random = new Random(length);
        Complex[] x = [.. Enumerable.Range(0, length).Select(_ => new Complex(random.NextDouble() - 0.5, random.NextDouble() - 0.5))], values = [.. x];
        FourierTransform transform = FourierTransform.Of(length);
        transform.Run(values, isInverse: false);
        for (int k = 0; k < length; k++)
        {
            Complex sum = Complex.Zero;
            for (int n = 0; n < length; n++) sum += x[n] * Complex.FromPolarCoordinates(1, -2 * Math.PI * (long)k * n / length);
            Assert.True(Complex.Abs(sum - values[k]) < 1e-12 * length, $"[{k}] is {values[k]}, expected {sum}");
        }
        transform.Run(values, isInverse: true);
        for (int n = 0; n < length; n++) Assert.True(Complex.Abs(x[n] - values[n]) < 1e-13 * length, $"[{n}] comes back as {values[n]}, was {x[n]}");
    }

    [Fact]
    public void DFT_OnesidedThereAndBack_ReturnsTheSignal()
    {
        Tensor signal = OperatorRun.Random([2, 12, 1], seed: 3), axis = Tensor.Scalar(1L), length = Tensor.Scalar(12L);
        Tensor spectrum = OperatorRun.One("DFT", new Attributes { { "onesided", 1 } }, signal, null, axis);
        Assert.Equal(new Shape(2, 7, 2), spectrum.Shape);
        Tensor back = OperatorRun.One("DFT", new Attributes { { "onesided", 1 }, { "inverse", 1 } }, spectrum, length, axis);
        Assert.Equal(signal.Shape, back.Shape);
        for (int i = 0; i < signal.ElementCount; i++) Assert.Equal(signal.Span<float>()[i], back.Span<float>()[i], 1e-6f);
    }

    [Fact]
    public void DFT_AxisOfParts_NamesTheAxis()
    {
        string message = Assert.Throws<InvalidDataException>(() => OperatorRun.One("DFT", OperatorRun.Random([1, 4, 2], seed: 1), null, Tensor.Scalar(2L))).Message;
        Assert.Equal("DFT 'DFT': transforms axis 2, which holds real and imaginary parts", message);
    }
}
