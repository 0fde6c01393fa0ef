using Fewbit.Tensors;

namespace Fewbit.Graphs.Tests.Operators;

public sealed class ConvTests
{
    public static TheoryData<long[], long[], long, long[], long[], long[]> Shapes => new()
    {
        { [2, 3, 7, 9], [5, 3, 3, 3], 1, [1, 1], [1, 1], [1, 1, 1, 1] },
        { [1, 6, 8, 5], [4, 3, 2, 3], 2, [2, 1], [1, 2], [0, 2, 1, 1] },
        { [3, 5, 9, 9], [5, 1, 3, 3], 5, [2, 2], [1, 1], [1, 1, 0, 0] },
        { [2, 4, 1, 1], [7, 4, 1, 1], 1, [1, 1], [1, 1], [0, 0, 0, 0] },
        { [2, 3, 11], [4, 3, 4], 1, [3], [2], [2, 1] },
        { [1, 2, 4, 5, 3], [3, 2, 2, 3, 2], 1, [1, 2, 1], [2, 1, 1], [1, 0, 1, 0, 2, 0] },
        { [1, 64, 5, 5], [13, 64, 3, 3], 1, [1, 1], [1, 1], [1, 1, 1, 1] },
        { [3, 5, 4, 6], [7, 5, 4, 6], 1, [1, 1], [1, 1], [0, 0, 0, 0] },
    };

    [Theory]
    [MemberData(nameof(Shapes))]
    public void Conv_AwkwardShapes_EqualsLoops(long[] x, long[] w, long group, long[] strides, long[] dilations, long[] pads)
    {
        Attributes attributes = new() { { "group", group }, { "strides", strides }, { "dilations", dilations }, { "pads", pads } };
        (Tensor image, Tensor weight, Tensor bias) = (OneNode.Numbers(1, x), OneNode.Numbers(2, w), OneNode.Numbers(3, w[0]));
        Tensor y = OneNode.Run("Conv", attributes, image, weight, bias);
        double[] expected = Loops(image, weight, bias, group, strides, dilations, pads, y.Shape);
        OneNode.AssertClose(expected, y, 2e-5);
        (Tensor image64, Tensor weight64, Tensor bias64) = (OneNode.Doubles(1, x), OneNode.Doubles(2, w), OneNode.Doubles(3, w[0]));
        OneNode.AssertClose(expected, OneNode.Run("Conv", attributes, image64, weight64, bias64), 1e-12);
    }

    /// <summary>(A x) . y = x . (A' y): the adjoints are what gradients need.</summary>
    [Theory]
    [MemberData(nameof(Shapes))]
    public void Backward_AwkwardShapes_IsAdjointOfConv(long[] x, long[] w, long group, long[] strides, long[] dilations, long[] pads)
    {
        Attributes attributes = new() { { "group", group }, { "strides", strides }, { "dilations", dilations }, { "pads", pads } };
        (Tensor image, Tensor weight) = (OneNode.Doubles(1, x), OneNode.Doubles(2, w));
        Tensor y = OneNode.Run("Conv", attributes, image, weight), dy = OneNode.Doubles(4, y.Shape.Dims.ToArray());
        double expected = OneNode.Dot(y, dy);
        Tensor dx = OneNode.RunAll("ConvBackwardData", attributes, [dy, weight, Tensor.From<long>(x)], domain: "ai.fewbit")[0];
        Tensor dw = OneNode.RunAll("ConvBackwardWeights", attributes, [image, dy, Tensor.From<long>(w)], constantsFrom: 2, domain: "ai.fewbit")[0];
        Assert.Equal(expected, OneNode.Dot(dx, image), 1e-10);
        Assert.Equal(expected, OneNode.Dot(dw, weight), 1e-10);
        var numbers = (dy: OneNode.Numbers(4, y.Shape.Dims.ToArray()), w: OneNode.Numbers(2, w), x: OneNode.Numbers(1, x));
        OneNode.AssertClose(dx.Span<double>(), OneNode.RunAll("ConvBackwardData", attributes, [numbers.dy, numbers.w, Tensor.From<long>(x)], domain: "ai.fewbit")[0]);
        OneNode.AssertClose(dw.Span<double>(), OneNode.RunAll("ConvBackwardWeights", attributes, [numbers.x, numbers.dy, Tensor.From<long>(w)], constantsFrom: 2, domain: "ai.fewbit")[0], 1e-4);
    }

    [Theory]
    [InlineData("SAME_UPPER", 0, 1)]
    [InlineData("SAME_LOWER", 1, 0)]
    public void Conv_SamePadding_PutsOddElementAtItsSide(string autoPad, long begin, long end)
    {
        (Tensor x, Tensor w) = (OneNode.Numbers(1, 1, 2, 6, 6), OneNode.Numbers(2, 3, 2, 3, 3));
        Tensor y = OneNode.Run("Conv", new() { { "auto_pad", autoPad }, { "strides", new long[] { 2, 2 } } }, x, w);
        Tensor padded = OneNode.Run("Conv", new() { { "pads", new[] { begin, begin, end, end } }, { "strides", new long[] { 2, 2 } } }, x, w);
        Assert.Equal([1, 3, 3, 3], y.Shape.Dims.ToArray());
        Assert.Equal(padded.Span<float>().ToArray(), y.Span<float>().ToArray());
    }

    [Fact]
    public void FusedConv_ResidualAndClip_EqualsSeparateSteps()
    {
        (Tensor x, Tensor w, Tensor b, Tensor r) = (OneNode.Numbers(1, 2, 50, 4, 5), OneNode.Numbers(2, 3, 50, 3, 3), OneNode.Numbers(3, 3), OneNode.Numbers(4, 2, 3, 4, 5));
        Attributes attributes = new() { { "pads", new long[] { 1, 1, 1, 1 } } };
        Tensor plain = OneNode.Run("Conv", attributes, x, w, b);
        double[] expected = new double[plain.ElementCount];
        for (int i = 0; i < expected.Length; i++) expected[i] = Math.Clamp(plain.Span<float>()[i] + r.Span<float>()[i], -0.5, 1.25);
        attributes = new() { { "pads", new long[] { 1, 1, 1, 1 } }, { "activation", "clip" }, { "low", -0.5f }, { "high", 1.25f } };
        OneNode.AssertClose(expected, OneNode.RunAll("FusedConv", attributes, [x, w, b, r], domain: "ai.fewbit")[0]);
    }

    [Fact]
    public void Infer_WrongChannels_NamesNodeAndNumbers() =>
        Assert.StartsWith("Conv 'it': input has 3 channels, but the weight [8, 4, 3, 3] in 1 group(s) takes 4", OneNode.Error("Conv", [], ["N", 3, 8, 8], [8, 4, 3, 3]), StringComparison.Ordinal);

    [Fact]
    public void Infer_SymbolicSize_KeepsBatch()
    {
        var graph = new Graph();
        Value x = graph.AddInput("x", ElementType.Float32, ["N", 3, "H", 8]);
        Value y = x.Apply("Conv", graph.AddConstant("w", OneNode.Numbers(1, 4, 3, 3, 3)));
        Assert.Equal("[N, 4, ?, 6]", y.Shape!.ToString());
    }

    [Theory]
    [InlineData(0, 0, 1)]
    [InlineData(1, 1, 2)]
    public void ConvTranspose_GroupsAndOutputPadding_IsAdjointOfConv(long outputPadding, long pad, long group)
    {
        (Tensor x, Tensor w) = (OneNode.Doubles(1, 2, 4, 5, 3), OneNode.Doubles(2, 4, 3, 3, 2));
        Attributes attributes = new() { { "group", group }, { "strides", new long[] { 2, 3 } }, { "pads", new[] { pad, 0, pad, 0 } }, { "output_padding", new[] { outputPadding, outputPadding } } };
        Tensor y = OneNode.Run("ConvTranspose", attributes, x, w);
        long height = 2 * 4 + outputPadding + 3 - 2 * pad, width = 3 * 2 + outputPadding + 2;
        Assert.Equal([2, 3 * group, height, width], y.Shape.Dims.ToArray());
        Tensor g = OneNode.Doubles(3, y.Shape.Dims.ToArray());
        Tensor back = OneNode.Run("Conv", new() { { "group", group }, { "strides", new long[] { 2, 3 } }, { "pads", new[] { pad, 0, pad, 0 } } }, g, w);
        Assert.Equal(OneNode.Dot(y, g), OneNode.Dot(x, back), 1e-10);
    }

    private static double[] Loops(Tensor x, Tensor w, Tensor b, long group, long[] strides, long[] dilations, long[] pads, Shape output)
    {
        int rank = strides.Length;
        long[] xs = x.Shape.Strides(), ws = w.Shape.Strides(), ys = output.Strides();
        var y = new double[output.ElementCount];
        for (int at = 0; at < y.Length; at++)
        {
            long n = at / ys[0], m = at / ys[1] % output[1], perGroup = w.Shape[0] / group;
            double sum = b.Span<float>()[(int)m];
            for (int tap = 0; tap < ws[0]; tap++)
            {
                long c = tap / ws[1], from = n * xs[0] + (m / perGroup * w.Shape[1] + c) * xs[1];
                bool isInside = true;
                for (int axis = 0; axis < rank; axis++)
                {
                    long position = at / ys[axis + 2] % output[axis + 2] * strides[axis] - pads[axis] + tap / ws[axis + 2] % w.Shape[axis + 2] * dilations[axis];
                    isInside &= position >= 0 && position < x.Shape[axis + 2];
                    from += position * xs[axis + 2];
                }
                if (isInside) sum += (double)x.Span<float>()[(int)from] * w.Span<float>()[(int)(m * ws[0] + tap)];
            }
            y[at] = sum;
        }
        return y;
    }
}
