using Fewbit.Graphs;
using Fewbit.Runtime.Tests.Quantized;
using Fewbit.Tensors;

namespace Fewbit.Runtime.Tests;

public class ModelRunnerTests
{
    [Theory]
    [InlineData(ElementType.UInt8)]
    [InlineData(ElementType.Int8)]
    public void Run_AskedForCodes_GivesThoseOfTheQuantizer(ElementType type)
    {
        var builder = new QdqBuilder(4) { Activations = type };
        Value y = Chain(builder);
        using ModelRunner runner = ModelRunner.From(builder.Graph, new() { KeepsCodes = true });
        Assert.Equal(builder.Quantizers.Order(), runner.Codes.Select(codes => codes.Name).Order());
        Assert.Equal([y.Name], runner.Outputs.Select(output => output.Name));
        string last = builder.Quantizers[^1];
        IReadOnlyDictionary<string, Tensor> results = runner.Run(builder.Feeds(), [y.Name, last]);
        Assert.Equal(type, results[last].Type);
        (float scale, int zeroPoint) = (0.02f, type == ElementType.UInt8 ? 0 : -128);
        for (int i = 0; i < results[last].ElementCount; i++)
        {
            int code = type == ElementType.UInt8 ? results[last].Span<byte>()[i] : results[last].Span<sbyte>()[i];
            Assert.Equal((code - zeroPoint) * scale, results[y.Name].Span<float>()[i]);
        }
    }

    [Fact]
    public void Run_WithoutFusion_DiffersByAtMostOneCode()
    {
        var builder = new QdqBuilder(4);
        Value y = Chain(builder);
        using ModelRunner exact = ModelRunner.From(builder.Graph), written = ModelRunner.From(builder.Graph, new() { FusesQuantized = false });
        Assert.Null(written.Fusion);
        Dictionary<string, Tensor> feeds = builder.Feeds();
        float[] a = exact.Run(feeds)[y.Name].Span<float>().ToArray(), b = written.Run(feeds)[y.Name].Span<float>().ToArray();
        Assert.All(a.Zip(b), pair => Assert.InRange(Math.Abs(pair.First - pair.Second), 0, 0.0201f));
    }

    [Fact]
    public void Fusion_OfNodeThatStaysFloat_SaysWhy()
    {
        var builder = new QdqBuilder(4);
        Value x = builder.Requantize(builder.Input(1, 8, 5, 5));
        builder.Output(builder.Requantize(x.Apply("Conv", builder.Weight([8, 8, 1, 1], 0)).Apply("Relu"), 0.02f, 100));
        using ModelRunner runner = ModelRunner.From(builder.Graph);
        Assert.Contains(runner.Fusion!.Float, node => node.OpType == "Conv" && node.Reason!.Contains("zero point must be the lowest code", StringComparison.Ordinal));
    }

    /// <summary>Q, DQ, Conv, Relu, Q (scale 0.02, lowest code), DQ.</summary>
    private static Value Chain(QdqBuilder builder)
    {
        Value x = builder.Requantize(builder.Input(1, 8, 5, 5)), w = builder.Weight([8, 8, 3, 3], 0);
        Value y = builder.Requantize(x.Apply("Conv", w, builder.Bias(x, w, 8)).Apply("Relu"), 0.02f, builder.Activations == ElementType.UInt8 ? 0 : -128);
        builder.Output(y);
        return y;
    }
}
