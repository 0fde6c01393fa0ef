using Fewbit.Graphs;
using Fewbit.Tensors;
using Fewbit.Testing;

namespace Fewbit.Runtime.Tests.Quantized;

public class ElementwiseGroupTests
{
    [RuntimeTheory]
    [InlineData("Add")]
    [InlineData("Mul")]
    public void Binary_AllPairsOfCodes_GiveTheCodesOfOnnxRuntime(string op)
    {
        for (int seed = 0; seed < 30; seed++)
        {
            var builder = new QdqBuilder(seed) { Activations = seed % 3 == 0 ? ElementType.Int8 : ElementType.UInt8 };
            Value a = Ramp(builder), b = Ramp(builder);
            float scale = seed % 5 == 0 ? 1f / 64 : builder.Uniform(0.01f, 0.1f);
            builder.Output(builder.Requantize(a.Apply(op, b), op == "Add" ? scale : scale * 4));
            RuntimeComparison.Of(builder.Graph, new Dictionary<string, Tensor> { ["x"] = Codes(row: true), ["x_1"] = Codes(row: false) }).ExpectEqual();
        }
    }

    [RuntimeTheory]
    [InlineData("Add")]
    [InlineData("Mul")]
    public void Binary_BroadcastShapes_GiveTheCodesOfOnnxRuntime(string op)
    {
        (long[] A, long[] B)[] shapes =
        [
            ([2, 3, 5, 7], [1, 3, 1, 1]), ([3, 1, 1], [2, 3, 5, 7]), ([2, 3, 5, 7], [7]), ([5, 1], [2, 3, 1, 7]), ([2, 6, 1, 1], [1, 6, 4, 4]),
            ([1], [4, 33]), ([4, 33], [1]), ([2, 8, 1, 1], [2, 8, 1, 1]), ([2, 1, 9], [1, 5, 1]),
        ];
        for (int i = 0; i < shapes.Length * 3; i++)
        {
            var builder = new QdqBuilder(i);
            Value a = builder.Requantize(builder.Input(shapes[i % shapes.Length].A)), b = builder.Requantize(builder.Input(shapes[i % shapes.Length].B));
            builder.Output(builder.Requantize(a.Apply(op, b), i % 2 == 0 ? 1f / 32 : null));
            RuntimeComparison.Of(builder.Graph, builder.Feeds()).ExpectEqual();
        }
    }

    [RuntimeTheory]
    [InlineData("Sigmoid", 1f / 256)]
    [InlineData("Sigmoid", 1f / 255)]
    [InlineData("LeakyRelu", 0.02f)]
    public void Unary_AllCodes_GiveTheCodesOfOnnxRuntime(string op, float scale)
    {
        for (int seed = 0; seed < 20; seed++)
        {
            var builder = new QdqBuilder(seed) { Activations = seed % 2 == 0 ? ElementType.Int8 : ElementType.UInt8 };
            Value x = builder.Requantize(builder.Input(256, 256), 1f / 16);
            Attributes? attributes = op == "LeakyRelu" ? new() { { "alpha", builder.Uniform(0.01f, 0.3f) } } : null;
            builder.Output(builder.Requantize(x.Apply(op, attributes), scale));
            RuntimeComparison.Of(builder.Graph, new Dictionary<string, Tensor> { ["x"] = Codes(row: true) }).ExpectEqual();
        }
    }

    [RuntimeFact]
    public void Softmax_AnyAxis_GivesTheCodesOfOnnxRuntime()
    {
        for (int seed = 0; seed < 40; seed++)
        {
            var builder = new QdqBuilder(seed) { Activations = seed % 2 == 0 ? ElementType.Int8 : ElementType.UInt8 };
            Value x = builder.Requantize(builder.Input(3, builder.Next(1, 40), builder.Next(2, 9)), builder.Uniform(0.01f, 0.2f));
            Attributes attributes = new() { { "axis", (long)builder.Next(0, 2) } };
            builder.Output(builder.Requantize(x.Apply("Softmax", attributes), 1f / 256, builder.Activations == ElementType.Int8 ? -128 : 0));
            RuntimeComparison.Of(builder.Graph, builder.Feeds()).ExpectEqual();
        }
    }

    [RuntimeFact]
    public void Concat_PartsOfOtherScales_GivesTheCodesOfOnnxRuntime()
    {
        for (int seed = 0; seed < 20; seed++)
        {
            var builder = new QdqBuilder(seed);
            int axis = builder.Next(0, 2);
            Value[] parts = [.. Enumerable.Range(0, builder.Next(2, 4)).Select(_ => builder.Requantize(builder.Input(axis == 0 ? builder.Next(1, 4) : 2, axis == 1 ? builder.Next(1, 6) : 3, axis == 2 ? builder.Next(1, 9) : 5)))];
            Value joined = parts[0].Apply("Concat", new Attributes { { "axis", (long)axis } }, parts.AsSpan(1));
            builder.Output(seed % 2 == 0 ? builder.Requantize(joined) : builder.RequantizeLike(joined, parts[0]));
            RuntimeComparison.Of(builder.Graph, builder.Feeds()).ExpectEqual();
        }
    }

    [RuntimeFact]
    public void Where_OfTwoScales_GivesTheCodesOfOnnxRuntime()
    {
        for (int seed = 0; seed < 10; seed++)
        {
            var builder = new QdqBuilder(seed);
            Value condition = builder.Graph.AddInput("condition", ElementType.Bool, [2, 1, 5]);
            Value a = builder.Requantize(builder.Input(2, 3, 5)), b = builder.Requantize(builder.Input(3, 1));
            builder.Output(builder.Requantize(condition.Apply("Where", a, b)));
            RuntimeComparison.Of(builder.Graph, builder.Feeds()).ExpectEqual();
        }
    }

    /// <summary>A quantized [256, 256] input whose scale makes every code occur.</summary>
    private static Value Ramp(QdqBuilder builder) => builder.Requantize(builder.Input(256, 256), 1f / 16);

    /// <summary>-16 to 16 in 513 steps along rows or columns: with scale 1/16 every code and saturation at both ends.</summary>
    private static Tensor Codes(bool row)
    {
        Tensor tensor = Tensor.Allocate(ElementType.Float32, [256, 256]);
        Span<float> values = tensor.Span<float>();
        for (int i = 0; i < values.Length; i++) values[i] = ((row ? i / 256 : i % 256) - 128 + (i % 7 == 0 ? 60 : i % 11 == 0 ? -60 : 0)) / 16f;
        return tensor;
    }
}
