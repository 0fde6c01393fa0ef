using Fewbit.Graphs;
using Fewbit.Tensors;
using Fewbit.Testing;

namespace Fewbit.Runtime.Tests.Quantized;

/// <summary>Float operators that stand between integer layers: equal to the last bit, since one code of difference spreads through the layers behind.</summary>
public class FloatArithmeticTests
{
    [RuntimeTheory]
    [InlineData(1)]
    [InlineData(7)]
    [InlineData(16)]
    [InlineData(33)]
    [InlineData(49)]
    [InlineData(64)]
    [InlineData(196)]
    [InlineData(1000)]
    public void Softmax_LastAxis_IsThatOfOnnxRuntime(int length) => ExpectEqual([5, 11, length], x => x.Apply("Softmax", new Attributes { { "axis", -1L } }), scale: 4);

    [RuntimeTheory]
    [InlineData(4, 16)]
    [InlineData(3, 49)]
    [InlineData(8, 196)]
    [InlineData(8, 784)]
    [InlineData(8, 1568)]
    [InlineData(5, 3)]
    [InlineData(5, 6273)]
    public void InstanceNormalization_IsThatOfOnnxRuntime(int channels, int plane) => ExpectEqual([4, channels, plane], x =>
        x.Apply("InstanceNormalization", Parameter(x, [channels]), Parameter(x, [channels])), scale: 3);

    [RuntimeTheory]
    [InlineData(1, 28, 28)]
    [InlineData(10, 14, 14)]
    [InlineData(40, 7, 7)]
    [InlineData(3, 5, 3)]
    public void DecomposedLayerNormalization_IsThatOfOnnxRuntime(int channels, int height, int width) => ExpectEqual([4, channels, height, width], x =>
    {
        var axes = new Attributes { { "axes", new long[] { -3, -2, -1 } } };
        Value centred = x - x.Apply("ReduceMean", axes);
        Value variance = centred.Apply("Pow", x.Graph.AddConstant("two", Tensor.Scalar(2f))).Apply("ReduceMean", axes);
        Value deviation = (variance + x.Graph.AddConstant("epsilon", Tensor.Scalar(1e-5f))).Apply("Sqrt");
        return centred / deviation * Parameter(x, [channels, height, width]) + Parameter(x, [channels, height, width]);
    }, scale: 3);

    [RuntimeTheory]
    [InlineData(10, 10, 4, 2, 1, 7)]
    [InlineData(64, 32, 2, 2, 0, 7)]
    [InlineData(32, 16, 2, 2, 0, 14)]
    [InlineData(20, 10, 4, 2, 1, 14)]
    [InlineData(80, 40, 2, 2, 0, 3)]
    [InlineData(6, 5, 3, 1, 1, 5)]
    public void ConvTranspose_IsThatOfOnnxRuntime(int from, int to, int kernel, int stride, int pad, int size) => ExpectEqual([4, from, size, size], x =>
        x.Apply("ConvTranspose", new Attributes { { "strides", new long[] { stride, stride } }, { "pads", new long[] { pad, pad, pad, pad } } }, Parameter(x, [from, to, kernel, kernel]), Parameter(x, [to])), scale: 1);

    [RuntimeTheory]
    [InlineData("Exp")]
    [InlineData("Sigmoid")]
    public void Function_IsThatOfOnnxRuntime(string op) => ExpectEqual([7, 1003], x => x.Apply(op), scale: 20);

    [RuntimeFact]
    public void SigmoidTimesX_IsThatOfOnnxRuntime() => ExpectEqual([7, 1003], x => x * x.Apply("Sigmoid"), scale: 4);

    private static void ExpectEqual(long[] shape, Func<Value, Value> build, float scale)
    {
        for (int seed = 0; seed < 4; seed++)
        {
            var builder = new QdqBuilder(seed);
            Value x = builder.Input(shape);
            builder.Output(build(x));
            RuntimeComparison.Of(builder.Graph, new Dictionary<string, Tensor> { [x.Name] = builder.Normal(new(shape), scale) }).ExpectEqual();
        }
    }

    private static Value Parameter(Value x, long[] shape) => x.Graph.AddConstant("parameter", new QdqBuilder((int)shape[0]).Normal(new(shape), 1));
}
