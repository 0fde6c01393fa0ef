using Fewbit.Graphs.Execution;
using Fewbit.Tensors;

namespace Fewbit.Graphs.Tests.Learning;

public sealed class DropQuantizeTests
{
    private const int Count = 70_003; // several chunks, and a rest that fills no vector

    private static readonly float[] s_x = [.. Enumerable.Range(0, Count).Select(i => MathF.Sin(i) * 3)], s_upstream = [.. Enumerable.Range(0, Count).Select(i => MathF.Cos(2 * i))];

    [Theory]
    [InlineData(1f)]
    [InlineData(0f)]
    [InlineData(0.5f)]
    public void VectorForms_OfFloat_AgreeWithScalarForms(float probability)
    {
        Tensor[] single = Run(Tensor.From<float>(s_x), Tensor.From<float>(s_upstream), Tensor.Scalar(0.4f), Tensor.Scalar(2f), probability, seed: 7);
        Tensor[] wide = Run(Double(s_x), Double(s_upstream), Tensor.Scalar((double)0.4f), Tensor.Scalar(2.0), probability, seed: 7);
        int differing = 0;
        for (int i = 0; i < Count; i++)
        {
            // A ratio may round to the other code in float; 1e-4 of them at most.
            if (Math.Abs(wide[0].Span<double>()[i] - single[0].Span<float>()[i]) > 1e-5 || wide[1].Span<double>()[i] != single[1].Span<float>()[i]) differing++;
        }
        Assert.InRange(differing, 0, 7);
        Assert.Equal(wide[2].Item<double>(), single[2].Item<float>(), 5e-2);
    }

    [Fact]
    public void Probability1_AnySeed_IsFakeQuantize()
    {
        Tensor[] dropped = Run(Tensor.From<float>(s_x), Tensor.From<float>(s_upstream), Tensor.Scalar(0.4f), Tensor.Scalar(2f), 1, seed: 3);
        var graph = new Graph();
        Value x = graph.AddInput("x", ElementType.Float32, [Count]), s = graph.AddConstant("s", Tensor.Scalar(0.4f));
        Value y = x.Apply("ai.fewbit", "FakeQuantize", new() { { "min", 0f }, { "max", 7f } }, s, graph.AddConstant("z", Tensor.Scalar(2f)));
        foreach (Value value in (Value[])[y, .. Gradients.Of(y, [x, s], graph.AddConstant("g", Tensor.From<float>(s_upstream)))]) graph.AddOutput(value);
        Tensor[] plain = new Interpreter().Run(graph, new Dictionary<string, Tensor> { ["x"] = Tensor.From<float>(s_x) });
        Assert.Equal(plain[0].Span<float>().ToArray(), dropped[0].Span<float>().ToArray());
        Assert.Equal(plain[1].Span<float>().ToArray(), dropped[1].Span<float>().ToArray());
        // Sums of 70,000 terms in another order.
        Assert.Equal(1, dropped[2].Item<float>() / plain[2].Item<float>(), 1e-5);
    }

    [Fact]
    public void Probability0_AnySeed_PassesEverything()
    {
        Tensor[] results = Run(Tensor.From<float>(s_x), Tensor.From<float>(s_upstream), Tensor.Scalar(0.4f), Tensor.Scalar(2f), 0, seed: 3);
        Assert.Equal(s_x, results[0].Span<float>().ToArray());
        Assert.Equal(s_upstream, results[1].Span<float>().ToArray());
        Assert.Equal(0, results[2].Item<float>());
    }

    [Fact]
    public void ProbabilityOneHalf_ManySeedsAndStreams_QuantizesHalfAndDiffers()
    {
        float[] x = [.. Enumerable.Repeat(0.7f, Count)], upstream = new float[Count];
        var masks = new List<bool[]>();
        foreach ((int seed, int stream) in ((int, int)[])[(1, 0), (2, 0), (1, 1), (-5, 3)])
        {
            Tensor[] results = Run(Tensor.From<float>(x), Tensor.From<float>(upstream), Tensor.Scalar(0.5f), Tensor.Scalar(0f), 0.5f, seed, stream);
            bool[] mask = [.. results[0].Span<float>().ToArray().Select(y => y != 0.7f)];
            // 3 standard deviations of the mean of as many coins.
            Assert.Equal(0.5, mask.Average(isQuantized => isQuantized ? 1.0 : 0), 3 * 0.5 / Math.Sqrt(Count));
            Assert.All(masks, other => Assert.Equal(0.5, other.Zip(mask).Average(pair => pair.First == pair.Second ? 1.0 : 0), 4 * 0.5 / Math.Sqrt(Count)));
            masks.Add(mask);
        }
    }

    [Fact]
    public void Gradient_OfScale_IsMultipliedByItsFactor()
    {
        Tensor[] one = Run(Tensor.From<float>(s_x), Tensor.From<float>(s_upstream), Tensor.Scalar(0.4f), Tensor.Scalar(2f), 0.5f, seed: 7);
        Tensor[] scaled = Run(Tensor.From<float>(s_x), Tensor.From<float>(s_upstream), Tensor.Scalar(0.4f), Tensor.Scalar(2f), 0.5f, seed: 7, factor: 0.25f);
        Assert.Equal(0.25f * one[2].Item<float>(), scaled[2].Item<float>());
    }

    private static Tensor[] Run(Tensor x, Tensor upstream, Tensor scale, Tensor zeroPoint, float probability, int seed, int stream = 0, float factor = 1)
    {
        var graph = new Graph();
        Value input = graph.AddInput("x", x.Type, SymbolicShape.From(x.Shape)), s = graph.AddConstant("s", scale);
        Value y = input.Apply("ai.fewbit", "DropQuantize", new() { { "min", 0f }, { "max", 7f }, { "probability", probability }, { "stream", (long)stream }, { "gradient_scale", factor } },
            s, graph.AddConstant("z", zeroPoint), graph.AddConstant("seed", Tensor.Scalar(seed)));
        foreach (Value value in (Value[])[y, .. Gradients.Of(y, [input, s], graph.AddConstant("g", upstream))]) graph.AddOutput(value);
        return new Interpreter().Run(graph, new Dictionary<string, Tensor> { ["x"] = x });
    }

    private static Tensor Double(float[] values) => Tensor.From<double>([.. values.Select(value => (double)value)]);
}
