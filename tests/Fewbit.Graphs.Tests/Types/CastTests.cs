using Fewbit.Graphs.Operators;
using Fewbit.Graphs.Tests.Operators;
using Fewbit.Tensors;

namespace Fewbit.Graphs.Tests.Types;

public class CastTests
{
    public static TheoryData<ElementType> Numbers => [.. Enum.GetValues<ElementType>().Where(Casting.Supports)];

    [Theory]
    [MemberData(nameof(Numbers))]
    public void Cast_SmallNumbers_EachTypeToEachType(ElementType from)
    {
        foreach (ElementType to in Enum.GetValues<ElementType>().Where(Casting.Supports))
        {
            // 0 and 1 are in every type but E8M0, whose least number is 2^-127, and of a signed 2-bit integer 1 is the largest.
            float[] numbers = from == ElementType.Float8E8M0 || to == ElementType.Float8E8M0 ? [1, 1, 1, 1, 1] : [0, 1, 1, 0, 1];
            Tensor source = Casting.Convert(Tensor.From<float>(numbers), from);
            Tensor result = OperatorRun.One("Cast", new Attributes { { "to", (long)to } }, source), like = OperatorRun.One("CastLike", source, result);
            Assert.Equal(to, result.Type);
            Assert.Equal(numbers, Casting.Convert(result, ElementType.Float32).Span<float>().ToArray());
            Assert.Equal(result.Bytes.ToArray(), like.Bytes.ToArray());
        }
    }

    [Theory]
    [InlineData(ElementType.Float8E4M3FN, 1, new byte[] { 0x7E, 0xFE, 0x7E, 0xFE, 0x00, 0x80 })]
    [InlineData(ElementType.Float8E4M3FNUZ, 1, new byte[] { 0x7F, 0xFF, 0x7F, 0xFF, 0x00, 0x00 })]
    [InlineData(ElementType.Float8E5M2, 1, new byte[] { 0x7B, 0xFB, 0x7B, 0xFB, 0x00, 0x80 })]
    [InlineData(ElementType.Float8E5M2FNUZ, 1, new byte[] { 0x7F, 0xFF, 0x7F, 0xFF, 0x00, 0x00 })]
    [InlineData(ElementType.Float8E4M3FN, 0, new byte[] { 0x7F, 0xFF, 0x7F, 0xFF, 0x00, 0x80 })]
    [InlineData(ElementType.Float8E4M3FNUZ, 0, new byte[] { 0x80, 0x80, 0x80, 0x80, 0x00, 0x00 })]
    [InlineData(ElementType.Float8E5M2, 0, new byte[] { 0x7C, 0xFC, 0x7C, 0xFC, 0x00, 0x80 })]
    [InlineData(ElementType.Float8E5M2FNUZ, 0, new byte[] { 0x80, 0x80, 0x80, 0x80, 0x00, 0x00 })]
    public void Cast_BeyondFloat8_SaturatesOrLeaves(ElementType to, long saturate, byte[] expected)
    {
        Tensor source = Tensor.From<float>(float.PositiveInfinity, float.NegativeInfinity, 1e6f, -1e6f, 0f, -0f);
        Assert.Equal(expected, OperatorRun.One("Cast", new Attributes { { "to", (long)to }, { "saturate", saturate } }, source).Bytes.ToArray());
    }

    [Theory]
    [InlineData("up", 1, new byte[] { 0, 0, 127, 128, 128, 254, 254, 255 })]
    [InlineData("down", 1, new byte[] { 0, 0, 127, 127, 127, 254, 254, 255 })]
    [InlineData("nearest", 1, new byte[] { 0, 0, 127, 127, 128, 254, 254, 255 })]
    [InlineData("nearest", 0, new byte[] { 255, 255, 127, 127, 128, 255, 255, 255 })]
    public void Cast_ToE8M0_RoundsAndSaturates(string mode, long saturate, byte[] expected)
    {
        // 0, 2^-140, 1, 1.25, 1.5, 1.9 * 2^127, infinity, NaN
        Tensor source = Tensor.From<float>(0, 7.174648e-43f, 1, 1.25f, 1.5f, 3.2e38f, float.PositiveInfinity, float.NaN);
        Assert.Equal(expected, OperatorRun.One("Cast", new Attributes { { "to", (long)ElementType.Float8E8M0 }, { "round_mode", mode }, { "saturate", saturate } }, source).Bytes.ToArray());
    }

    [Fact]
    public void Cast_IntegersBeyondTheRange_KeepTheLowerBits()
    {
        Tensor source = Tensor.From<short>(200, -129, 300, 9);
        Assert.Equal(new sbyte[] { -56, 127, 44, 9 }, OperatorRun.One("Cast", new Attributes { { "to", (long)ElementType.Int8 } }, source).Span<sbyte>().ToArray());
        Tensor nibbles = OperatorRun.One("Cast", new Attributes { { "to", (long)ElementType.Int4 } }, source);
        Assert.Equal(new sbyte[] { -8, -1, -4, -7 }, Casting.Convert(nibbles, ElementType.Int8).Span<sbyte>().ToArray());
    }

    [Fact]
    public void Cast_RealToFourBits_RoundsHalfToEven()
    {
        Tensor codes = OperatorRun.One("Cast", new Attributes { { "to", (long)ElementType.UInt4 } }, Tensor.From(0.5f, 1.5f, 2.5f, 14.7f));
        Assert.Equal(new byte[] { 0, 2, 2, 15 }, Casting.Convert(codes, ElementType.UInt8).Span<byte>().ToArray());
    }

    [Theory]
    [InlineData(ElementType.Float32, ElementType.Int32)]
    [InlineData(ElementType.BFloat16, ElementType.UInt16)]
    [InlineData(ElementType.Bool, ElementType.Int8)]
    [InlineData(ElementType.Int4, ElementType.Float4E2M1)]
    [InlineData(ElementType.Int2, ElementType.UInt2)]
    [InlineData(ElementType.Complex64, ElementType.Float64)]
    [InlineData(ElementType.Complex128, ElementType.Complex128)]
    public void BitCast_TypesOfOneWidth_KeepsTheBits(ElementType from, ElementType to)
    {
        Tensor source = Tensor.Allocate(from, [2, 3]);
        foreach (ref byte part in source.Bytes) part = 1;
        Tensor result = OneNode.RunAll("BitCast", new() { { "to", (long)to } }, [source], opset: 26)[0];
        Assert.Equal($"{to.Name()} [2, 3]", result.ToString());
        Assert.Equal(source.Bytes.ToArray(), result.Bytes.ToArray());
    }

    [Fact]
    public void BitCast_TypesOfTwoWidths_IsRefused()
    {
        var graph = new Graph(opset: 26);
        Value x = graph.AddInput("x", ElementType.Float32, [2]);
        string message = Assert.Throws<InvalidDataException>(() => graph.AddNode("BitCast", [x], new() { { "to", (long)ElementType.Int64 } }, name: "cast")).Message;
        Assert.Equal("BitCast 'cast': input 0 is 'x' float32 [2], expected elements of 64 bits as int64 has", message);
    }
}
