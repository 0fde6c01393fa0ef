using Fewbit.Graphs.Execution;
using Fewbit.Tensors;

namespace Fewbit.Graphs.Tests.Learning;

public sealed class LevelQuantizeTests
{
    private const int Count = 70_003; // several chunks and blocks, and a rest that fills no vector

    private static readonly float[] s_x = [.. Enumerable.Range(0, Count).Select(i => MathF.Sin(i) * 3)], s_upstream = [.. Enumerable.Range(0, Count).Select(i => MathF.Cos(2 * i))];

    /// <summary>Number sets by name: floats of 4 and 8 bits, a table of 8 levels, one of 100.</summary>
    public static TheoryData<string> Sets => new("fp4", "fp8", "apot", "table");

    private static Attributes Set(string name) => name switch
    {
        "fp4" => new() { { "float", (long[])[2, 1, 1, 0] } },
        "fp8" => new() { { "float", (long[])[4, 3, 7, 2] } },
        "apot" => Levels(-1, -0.5f, -0.25f, 0, 0.25f, 0.5f, 1),
        _ => Levels([.. Enumerable.Range(0, 100).Select(i => MathF.Sinh((i - 40) / 20f))]),
    };

    private static Attributes Levels(params float[] levels) => new() { { "levels", levels }, { "codes", (long[])[.. Enumerable.Range(0, levels.Length).Select(i => (long)i)] } };

    /// <summary>A scale with which about a tenth of the elements lies beyond the ends.</summary>
    private static float ScaleOf(string set) => 2.85f / set switch { "fp4" => 6, "fp8" => 448, "apot" => 1, _ => 9.6f };

    [Theory]
    [MemberData(nameof(Sets))]
    public void VectorForms_OfFloat_AgreeWithScalarForms(string set)
    {
        foreach (float probability in (float[])[1, 0.5f, 0])
        {
            Tensor[] single = Run(set, Tensor.From<float>(s_x), Tensor.From<float>(s_upstream), Tensor.Scalar(ScaleOf(set)), probability);
            Tensor[] wide = Run(set, Double(s_x), Double(s_upstream), Tensor.Scalar((double)ScaleOf(set)), probability);
            for (int i = 0; i < Count; i++)
            {
                // A product rounds once more in float; which level is nearest is decided on the same float32 quotient.
                Assert.Equal(wide[0].Span<double>()[i], single[0].Span<float>()[i], 1e-6);
                Assert.Equal(wide[1].Span<double>()[i], single[1].Span<float>()[i]);
            }
            Assert.Equal(wide[2].Item<double>(), single[2].Item<float>(), 1e-5 * Count * (set == "fp8" ? 16 : 1));
        }
    }

    [Theory]
    [MemberData(nameof(Sets))]
    public void Gradients_OfInputAndScale_AreFiniteDifferencesWithTheRoundingHeld(string set)
    {
        // Straight through: which number is nearest is held, and so is how far x / scale lies from it; beyond the ends the end is.
        double[] x = [.. Enumerable.Range(0, 400).Select(i => 3 * Math.Sin(i))], upstream = [.. Enumerable.Range(0, 400).Select(i => Math.Cos(2 * i))];
        double scale = ScaleOf(set), step = 1e-6 * scale;
        Tensor[] results = Run(set, Tensor.From<double>(x), Tensor.From<double>(upstream), Tensor.Scalar(scale), 1);
        (double lowest, double highest) = (results[0].Span<double>().ToArray().Min() / scale, results[0].Span<double>().ToArray().Max() / scale);
        double[] offsets = [.. x.Select((value, i) => results[0].Span<double>()[i] / scale - value / scale)];
        double Held(int i, double value, double s) => x[i] / scale > highest ? highest * s : x[i] / scale < lowest ? lowest * s : (value / s + offsets[i]) * s;
        double expected = 0;
        for (int i = 0; i < x.Length; i++)
        {
            expected += upstream[i] * (Held(i, x[i], scale + step) - Held(i, x[i], scale - step)) / (2 * step);
            Assert.Equal(upstream[i] * (Held(i, x[i] + 1e-6, scale) - Held(i, x[i] - 1e-6, scale)) / 2e-6, results[1].Span<double>()[i], 1e-6);
        }
        Assert.Equal(expected, results[2].Item<double>(), 1e-5 * Math.Max(1, Math.Abs(expected)));
        Assert.Contains(x, value => value / scale > highest);
    }

    [Fact]
    public void Evaluate_FourBitFloat_TakesTheNearestNumberTiesToEven()
    {
        float[] x = [0.2f, 0.25f, 0.75f, 2.5f, 5f, -7f, float.NegativeInfinity, float.NaN];
        Tensor[] results = Run("fp4", Tensor.From<float>(x), Tensor.From<float>(new float[8]), Tensor.Scalar(1f), 1);
        Assert.Equal([0, 0, 1, 2, 4, -6, -6, float.NaN], results[0].Span<float>().ToArray());
    }

    [Fact]
    public void Probability_OneHalf_QuantizesHalfOfTheElements()
    {
        float[] x = [.. Enumerable.Repeat(0.7f, Count)];
        Tensor[] results = Run("apot", Tensor.From<float>(x), Tensor.From<float>(new float[Count]), Tensor.Scalar(1f), 0.5f);
        // 3 standard deviations of the mean of as many coins.
        Assert.Equal(0.5, results[0].Span<float>().ToArray().Average(y => y != 0.7f ? 1.0 : 0), 3 * 0.5 / Math.Sqrt(Count));
        Assert.Equal(x, Run("apot", Tensor.From<float>(x), Tensor.From<float>(new float[Count]), Tensor.Scalar(1f), 0)[0].Span<float>().ToArray());
    }

    [Fact]
    public void Gradient_OfScale_IsMultipliedByItsFactor()
    {
        Tensor[] one = Run("fp8", Tensor.From<float>(s_x), Tensor.From<float>(s_upstream), Tensor.Scalar(0.01f), 0.5f), scaled = Run("fp8", Tensor.From<float>(s_x), Tensor.From<float>(s_upstream), Tensor.Scalar(0.01f), 0.5f, 0.25f);
        Assert.Equal(0.25f * one[2].Item<float>(), scaled[2].Item<float>());
    }

    [Theory]
    [InlineData(new float[] { 1, 0 }, new long[] { 0, 1 }, "level 0")]
    [InlineData(new float[] { 0, 1 }, new long[] { 0 }, "2 levels and 1 codes")]
    public void Infer_LevelsThatAreNone_SaysSo(float[] levels, long[] codes, string expected)
    {
        var graph = new Graph();
        Value x = graph.AddInput("x", ElementType.Float32, [3]), s = graph.AddConstant("s", Tensor.Scalar(1f));
        string message = Assert.Throws<InvalidDataException>(() => x.Apply("ai.fewbit", "LevelQuantize", new() { { "levels", levels }, { "codes", codes } }, s).Graph.Nodes[0].Operator).Message;
        Assert.Contains(expected, message, StringComparison.Ordinal);
    }

    [Fact]
    public void SoftBetween_Gradient_IsThatOfFiniteDifferences() => GradientCheck.Run(
        values => values[0].Apply("ai.fewbit", "SoftBetween", null, values[0].Graph.AddConstant("low", GradientCheck.Random([2, 3], 3)), values[0].Graph.AddConstant("width", GradientCheck.Random([2, 3], 4, 0, 2))),
        Tensor.From<double>([0.3, -0.8, 1.1, -1.5, 0.05, 4], [2, 3]));

    [Fact]
    public void SoftBetween_VectorForms_AgreeWithScalarForms()
    {
        // 37 elements: whole vectors and a rest.
        float[] v = [.. Enumerable.Range(0, 37).Select(i => 5 * MathF.Sin(i))], low = [.. Enumerable.Range(0, 37).Select(i => i - 20f)], width = [.. Enumerable.Range(0, 37).Select(i => i % 7 / 3f)];
        Tensor[] single = Soft(Tensor.From<float>(v), Tensor.From<float>(low), Tensor.From<float>(width)), wide = Soft(Double(v), Double(low), Double(width));
        for (int output = 0; output < 2; output++)
        {
            for (int i = 0; i < 37; i++) Assert.Equal(wide[output].Span<double>()[i], single[output].Span<float>()[i], 5e-6);
        }
    }

    private static Tensor[] Soft(Tensor v, Tensor low, Tensor width)
    {
        var graph = new Graph();
        Value input = graph.AddInput("v", v.Type, [37]), weight = input.Apply("ai.fewbit", "SoftBetween", null, graph.AddConstant("low", low), graph.AddConstant("width", width));
        foreach (Value value in (Value[])[weight, .. Gradients.Of(weight, [input])]) graph.AddOutput(value);
        return new Interpreter().Run(graph, new Dictionary<string, Tensor> { ["v"] = v });
    }

    private static Tensor[] Run(string set, Tensor x, Tensor upstream, Tensor scale, float probability, float factor = 1)
    {
        var graph = new Graph();
        Value input = graph.AddInput("x", x.Type, SymbolicShape.From(x.Shape)), s = graph.AddConstant("s", scale);
        Attributes attributes = Set(set);
        attributes.Add("probability", probability);
        attributes.Add("stream", 3L);
        attributes.Add("gradient_scale", factor);
        Value y = input.Apply("ai.fewbit", "LevelQuantize", attributes, s, graph.AddConstant("seed", Tensor.Scalar(7)));
        foreach (Value value in (Value[])[y, .. Gradients.Of(y, [input, s], graph.AddConstant("g", upstream))]) graph.AddOutput(value);
        return new Interpreter().Run(graph, new Dictionary<string, Tensor> { ["x"] = x });
    }

    private static Tensor Double(float[] values) => Tensor.From<double>([.. values.Select(value => (double)value)]);
}
