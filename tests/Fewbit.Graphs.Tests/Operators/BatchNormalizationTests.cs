using Fewbit.Tensors;

namespace Fewbit.Graphs.Tests.Operators;

public sealed class BatchNormalizationTests
{
    private static readonly Tensor Variance = Tensor.From(0.5f, 2f, 1f);

    [Fact]
    public void Inference_OddPlane_EqualsFormula()
    {
        (Tensor x, Tensor scale, Tensor bias, Tensor mean) = (OneNode.Numbers(1, 2, 3, 5, 7), OneNode.Numbers(2, 3), OneNode.Numbers(3, 3), OneNode.Numbers(4, 3));
        var expected = new double[210];
        for (int i = 0; i < 210; i++)
        {
            int c = i / 35 % 3;
            expected[i] = (x.Span<float>()[i] - mean.Span<float>()[c]) / Math.Sqrt(Variance.Span<float>()[c] + 1e-3) * scale.Span<float>()[c] + bias.Span<float>()[c];
        }
        OneNode.AssertClose(expected, OneNode.Run("BatchNormalization", new() { { "epsilon", 1e-3f } }, x, scale, bias, mean, Variance));
    }

    [Fact]
    public void Training_UsesBatchStatisticsAndUpdatesRunning()
    {
        (Tensor x, Tensor ones, Tensor zeros) = (OneNode.Numbers(1, 4, 3, 5), Tensor.From(1f, 1f, 1f), Tensor.From(0f, 0f, 0f));
        Tensor[] outputs = OneNode.RunAll("BatchNormalization", new() { { "training_mode", true }, { "momentum", 0.75f } }, [x, ones, zeros, zeros, ones], outputs: 3);
        for (int c = 0; c < 3; c++)
        {
            double[] values = [.. Enumerable.Range(0, 60).Where(i => i / 5 % 3 == c).Select(i => (double)x.Span<float>()[i])];
            double mean = values.Average(), variance = values.Average(value => (value - mean) * (value - mean));
            Assert.Equal(0.25 * mean, outputs[1].Span<float>()[c], 1e-6);
            Assert.Equal(0.75 + 0.25 * variance, outputs[2].Span<float>()[c], 1e-6);
            Assert.Equal((values[0] - mean) / Math.Sqrt(variance + 1e-5), outputs[0].Span<float>()[c * 5], 1e-5);
        }
    }

    [Fact]
    public void Infer_WrongScale_NamesLengths() => Assert.Equal("BatchNormalization 'it': scale has shape [4], expected [3]",
        OneNode.Error("BatchNormalization", [], ["N", 3, 5], [4], [3], [3], [3]));
}
