using Fewbit.Graphs.Operators;
using Fewbit.Graphs.Tests.Operators;
using Fewbit.Tensors;

namespace Fewbit.Graphs.Tests.Types;

public class QuantizationTypeTests
{
    private static readonly ElementType[] CodeTypes =
    [
        ElementType.UInt8, ElementType.Int8, ElementType.UInt16, ElementType.Int16, ElementType.UInt4, ElementType.Int4, ElementType.UInt2, ElementType.Int2,
        ElementType.Float8E4M3FN, ElementType.Float8E4M3FNUZ, ElementType.Float8E5M2, ElementType.Float8E5M2FNUZ, ElementType.Float4E2M1,
    ];

    public static TheoryData<ElementType, ElementType, string> Cases
    {
        get
        {
            var cases = new TheoryData<ElementType, ElementType, string>();
            foreach (ElementType type in CodeTypes)
            {
                foreach (ElementType scale in (ElementType[])[ElementType.Float32, ElementType.Float16, ElementType.BFloat16, ElementType.Float8E8M0])
                {
                    foreach (string granularity in (string[])["tensor", "axis", "block"]) cases.Add(type, scale, granularity);
                }
            }
            return cases;
        }
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public void QuantizeThenDequantize_NumbersOnTheGrid_ComeBack(ElementType codes, ElementType scaleType, string granularity)
    {
        // Codes 0, 1 and what the scale makes of them; scales are powers of two, which every scale type holds.
        float[] units = [0, 1, 1, 0, 1, 0, 0, 1], scales = granularity switch { "tensor" => [2], "axis" => [2, 0.5f], _ => [2, 0.5f, 4, 1] };
        float[] numbers = [.. units.Select((unit, i) => unit * granularity switch { "tensor" => 2, "axis" => scales[i / 4], _ => scales[i / 2] })];
        Shape scaleShape = granularity switch { "tensor" => Shape.Scalar, "axis" => [2], _ => [2, 2] };
        Tensor scale = Casting.Convert(Tensor.From<float>(scales, scaleShape), scaleType), x = Tensor.From<float>(numbers, [2, 4]);
        Attributes Settings() => granularity switch { "tensor" => [], "axis" => new() { { "axis", 0 } }, _ => new() { { "axis", 1 }, { "block_size", 2 } } };
        Attributes quantizing = Settings(), dequantizing = Settings();
        quantizing.Add("output_dtype", (long)codes);
        dequantizing.Add("output_dtype", 1);
        Tensor quantized = OneNode.RunAll("QuantizeLinear", quantizing, [x, scale], opset: 25)[0];
        Assert.Equal(codes, quantized.Type);
        Assert.Equal(units, Casting.Convert(quantized, ElementType.Float32).Span<float>().ToArray());
        Assert.Equal(numbers, OneNode.RunAll("DequantizeLinear", dequantizing, [quantized, scale], opset: 25)[0].Span<float>().ToArray());
    }

    [Fact]
    public void QuantizeLinear_Precision_RoundsTheQuotient()
    {
        // Float16 holds multiples of 4 there: 4102 becomes 4104, and half of it 2052.
        Tensor x = Tensor.From(4102f), half = Tensor.From((Half)2);
        Attributes To16() => new() { { "output_dtype", (long)ElementType.UInt16 } };
        Assert.Equal(2052, Code(x, half, To16(), 25));
        Attributes wide = To16();
        wide.Add("precision", (long)ElementType.Float32);
        Assert.Equal(2051, Code(x, half, wide, 25));
        Assert.Equal(2051, Code(x, half, To16(), 22));

        static int Code(Tensor x, Tensor scale, Attributes attributes, int opset) => OneNode.RunAll("QuantizeLinear", attributes, [x, scale], opset: opset)[0].Span<ushort>()[0];
    }

    [Fact]
    public void QuantizeLinear_TwoOutputTypes_IsRefused()
    {
        var graph = new Graph(opset: 23);
        Value x = graph.AddInput("x", ElementType.Float32, [2]), scale = graph.AddInput("s", ElementType.Float32, []), zero = graph.AddInput("z", ElementType.Int8, []);
        string message = Assert.Throws<InvalidDataException>(() => graph.AddNode("QuantizeLinear", [x, scale, zero], new() { { "output_dtype", (long)ElementType.UInt8 } }, name: "q")).Message;
        Assert.Equal("QuantizeLinear 'q': output_dtype is uint8, but the zero point is int8, expected one type", message);
    }
}
