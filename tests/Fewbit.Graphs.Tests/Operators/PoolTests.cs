using Fewbit.Tensors;

namespace Fewbit.Graphs.Tests.Operators;

public sealed class PoolTests
{
    public static TheoryData<long[], long[], long[], long[], long[], bool> Shapes => new()
    {
        { [2, 3, 9, 35], [3, 3], [1, 1], [1, 1], [1, 1, 1, 1], false },
        { [1, 4, 8, 7], [2, 3], [2, 2], [1, 1], [0, 1, 1, 0], true },
        { [2, 2, 10, 11], [3, 2], [2, 3], [2, 2], [1, 1, 1, 1], true },
        { [1, 2, 17], [3], [2], [1], [0, 0], true },
        { [1, 2, 5, 6, 4], [2, 2, 3], [1, 2, 1], [1, 1, 1], [0, 1, 0, 1, 0, 1], false },
    };

    [Theory]
    [MemberData(nameof(Shapes))]
    public void Pool_AwkwardShapes_EqualsLoops(long[] x, long[] kernel, long[] strides, long[] dilations, long[] pads, bool ceil)
    {
        Tensor image = OneNode.Numbers(1, x);
        Attributes Common() => new() { { "kernel_shape", kernel }, { "strides", strides }, { "dilations", dilations }, { "pads", pads }, { "ceil_mode", ceil } };
        Tensor[] max = OneNode.RunAll("MaxPool", Common(), [image], outputs: 2);
        Assert.Equal(max[0].Span<float>().ToArray(), OneNode.Run("MaxPool", Common(), image).Span<float>().ToArray());
        Attributes withPad = Common();
        withPad.Add("count_include_pad", true);
        (Tensor average, Tensor averageOfPad) = (OneNode.Run("AveragePool", Common(), image), OneNode.Run("AveragePool", withPad, image));
        Check(image, max[0].Shape, kernel, strides, dilations, pads, (at, values, positions, padded) =>
        {
            Assert.Equal(values.Max(), max[0].Span<float>()[at]);
            Assert.Equal(positions[values.IndexOf(values.Max())], max[1].Span<long>()[at]);
            Assert.Equal(values.Average(), average.Span<float>()[at], 1e-5f);
            Assert.Equal(values.Sum() / padded, averageOfPad.Span<float>()[at], 1e-5f);
        });
    }

    [Fact]
    public void Adjoints_OfAveragePool_AreAdjoint()
    {
        Attributes attributes = new() { { "kernel_shape", new long[] { 3, 2 } }, { "strides", new long[] { 2, 1 } }, { "pads", new long[] { 1, 0, 1, 1 } } };
        Tensor x = OneNode.Doubles(1, 2, 3, 6, 5), y = OneNode.Run("AveragePool", attributes, x), dy = OneNode.Doubles(2, y.Shape.Dims.ToArray());
        Tensor dx = OneNode.RunAll("AveragePoolSpread", attributes, [dy, Tensor.From<long>(2, 3, 6, 5)], domain: "ai.fewbit")[0];
        Assert.Equal(OneNode.Dot(y, dy), OneNode.Dot(x, dx), 1e-12);
        Tensor max = OneNode.Run("MaxPool", attributes, x), routed = OneNode.RunAll("MaxPoolScatter", attributes, [dy, x], constantsFrom: 2, domain: "ai.fewbit")[0];
        Assert.Equal(OneNode.Dot(max, dy), OneNode.Dot(x, routed), 1e-12);
        Assert.Equal(max.Span<double>().ToArray(), OneNode.RunAll("MaxPoolGather", attributes, [x, x], constantsFrom: 2, domain: "ai.fewbit")[0].Span<double>().ToArray());
    }

    [Fact]
    public void GlobalPools_OddPlane_EqualLinq()
    {
        Tensor x = OneNode.Numbers(1, 3, 5, 7, 9);
        (Tensor average, Tensor max) = (OneNode.Run("GlobalAveragePool", [], x), OneNode.Run("GlobalMaxPool", [], x));
        Assert.Equal([3, 5, 1, 1], average.Shape.Dims.ToArray());
        for (int plane = 0; plane < 15; plane++)
        {
            float[] values = x.Span<float>().Slice(plane * 63, 63).ToArray();
            Assert.Equal(values.Average(), average.Span<float>()[plane], 1e-6f);
            Assert.Equal(values.Max(), max.Span<float>()[plane]);
        }
    }

    private static void Check(Tensor x, Shape output, long[] kernel, long[] strides, long[] dilations, long[] pads, Action<int, List<float>, List<long>, int> check)
    {
        long[] xs = x.Shape.Strides(), ys = output.Strides();
        Shape taps = new(kernel);
        long[] ks = taps.Strides();
        for (int at = 0; at < output.ElementCount; at++)
        {
            (List<float> values, List<long> positions, int padded) = ([], [], 0);
            for (int tap = 0; tap < taps.ElementCount; tap++)
            {
                (bool isInside, bool isPadded, long from) = (true, true, at / ys[1] * xs[1]);
                for (int axis = 0; axis < kernel.Length; axis++)
                {
                    long position = at / ys[axis + 2] % output[axis + 2] * strides[axis] - pads[axis] + tap / ks[axis] % kernel[axis] * dilations[axis];
                    isInside &= position >= 0 && position < x.Shape[axis + 2];
                    isPadded &= position < x.Shape[axis + 2] + pads[axis + kernel.Length];
                    from += position * xs[axis + 2];
                }
                if (isPadded) padded++;
                if (!isInside) continue;
                values.Add(x.Span<float>()[(int)from]);
                positions.Add(from);
            }
            check(at, values, positions, padded);
        }
    }
}
