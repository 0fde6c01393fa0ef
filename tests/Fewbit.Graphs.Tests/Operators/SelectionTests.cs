using Fewbit.Tensors;

namespace Fewbit.Graphs.Tests.Operators;

public sealed class SelectionTests
{
    [Theory]
    [InlineData(1, true)]
    [InlineData(7, true)]
    [InlineData(50, false)]
    [InlineData(0, true)]
    public void TopK_ManyTies_EqualsSorting(int k, bool isLargest)
    {
        const int length = 50;
        Tensor x = OneNode.Numbers(3, 2, length, 3);
        Span<float> numbers = x.Span<float>();
        for (int i = 0; i < numbers.Length; i++) numbers[i] = i % 17 == 0 ? float.NaN : MathF.Round(numbers[i] * 4);
        Tensor[] result = OperatorRun.All("TopK", new() { { "axis", 1 }, { "largest", isLargest ? 1 : 0 } }, 2, x, Tensor.From((long)k));
        for (int slice = 0; slice < 6; slice++)
        {
            float At(long place) => x.Span<float>()[(int)(slice / 3 * length + place) * 3 + slice % 3];
            float Key(long place) => float.IsNaN(At(place)) ? float.PositiveInfinity : At(place);
            IEnumerable<long> places = Enumerable.Range(0, length).Select(i => (long)i);
            long[] expected = [.. (isLargest ? places.OrderByDescending(Key) : places.OrderBy(Key)).Take(k)];
            for (int j = 0; j < k; j++)
            {
                int at = (slice / 3 * k + j) * 3 + slice % 3;
                Assert.Equal(expected[j], result[1].Span<long>()[at]);
                Assert.Equal(At(expected[j]), result[0].Span<float>()[at]);
            }
        }
    }

    [Fact]
    public void TopK_TiesAndNaN_KeepTheirOrder()
    {
        Tensor[] result = OperatorRun.All("TopK", [], 2, Tensor.From(2f, 5f, float.NaN, 5f, 1f), Tensor.From(4L));
        Assert.Equal([float.NaN, 5f, 5f, 2f], result[0].Span<float>().ToArray());
        Assert.Equal([2L, 1L, 3L, 0L], result[1].Span<long>().ToArray());
    }

    [Fact]
    public void ArgMax_Ties_FirstOrLast()
    {
        Tensor x = Tensor.From<float>([1, 3, 3, 2, 0, 2], [2, 3]);
        Assert.Equal([1L, 0L], OperatorRun.One("ArgMax", new Attributes { { "axis", 1L }, { "keepdims", 0L } }, x).Span<long>().ToArray());
        Assert.Equal([2L, 2L], OperatorRun.One("ArgMax", new Attributes { { "axis", -1L }, { "keepdims", 0L }, { "select_last_index", 1L } }, x).Span<long>().ToArray());
        Assert.Equal([0L, 1L, 1L], OperatorRun.One("ArgMin", new Attributes { { "axis", 0L } }, x).Span<long>().ToArray());
    }

    [Fact]
    public void ScatterElements_RepeatedIndex_AddsUp()
    {
        Tensor y = OperatorRun.One("ScatterElements", new Attributes { { "reduction", "add" } }, Tensor.From(1f, 2f, 3f), Tensor.From(0L, 0L, -1L), Tensor.From(10f, 20f, 30f));
        Assert.Equal([31f, 2f, 33f], y.Span<float>().ToArray());
    }

    [Fact]
    public void ScatterND_WrongUpdates_NamesBothShapes()
    {
        string message = Assert.Throws<InvalidDataException>(() =>
            OperatorRun.One("ScatterND", Tensor.From<float>([1, 2, 3, 4], [2, 2]), Tensor.From<long>([0], [1, 1]), Tensor.From(1f))).Message;
        Assert.Equal("ScatterND 'ScatterND': has updates of shape [1], expected [1, 2]", message);
    }

    [Fact]
    public void NonZeroUniqueCompress_NoElements_GiveEmptyTensors()
    {
        Tensor none = Tensor.Allocate(ElementType.Float32, [0]);
        Assert.Equal(new Shape(1, 0), OperatorRun.One("NonZero", none).Shape);
        Assert.Equal(new Shape(0), OperatorRun.One("Unique", none).Shape);
        Assert.Equal(new Shape(0), OperatorRun.One("Compress", none, Tensor.Allocate(ElementType.Bool, [0])).Shape);
        Assert.Equal(new Shape(0, 1), OperatorRun.One("NonZero", Tensor.Scalar(2f)).Shape);
    }

    [Fact]
    public void Unique_Unsorted_KeepsTheOrderOfFirstPlaces()
    {
        Tensor[] result = OperatorRun.All("Unique", new() { { "sorted", 0L } }, 4, Tensor.From(2L, 1L, 1L, 3L, 2L));
        Assert.Equal([2L, 1L, 3L], result[0].Span<long>().ToArray());
        Assert.Equal([0L, 1L, 3L], result[1].Span<long>().ToArray());
        Assert.Equal([0L, 1L, 1L, 2L, 0L], result[2].Span<long>().ToArray());
        Assert.Equal([2L, 2L, 1L], result[3].Span<long>().ToArray());
    }

    [Fact]
    public void Range_StepAwayFromLimit_IsEmpty()
    {
        Assert.Equal([10, 8, 6], OperatorRun.One("Range", Tensor.Scalar(10), Tensor.Scalar(4), Tensor.Scalar(-2)).Span<int>().ToArray());
        Assert.Equal(new Shape(0), OperatorRun.One("Range", Tensor.Scalar(0f), Tensor.Scalar(4f), Tensor.Scalar(-1f)).Shape);
        Assert.Throws<InvalidDataException>(() => OperatorRun.One("Range", Tensor.Scalar(0f), Tensor.Scalar(4f), Tensor.Scalar(0f)));
    }

    [Theory]
    [InlineData(100L, 1, 0)]
    [InlineData(long.MaxValue, 1, 0)]
    [InlineData(long.MinValue, 1, 6)]
    [InlineData(long.MinValue, 0, 0)]
    [InlineData(long.MaxValue, 0, 6)]
    [InlineData(0L, 1, 5)]
    [InlineData(-1L, 0, 1)]
    public void Trilu_AnyDiagonal_KeepsTheRightElements(long diagonal, long upper, int kept)
    {
        Tensor x = Tensor.From<float>([1, 1, 1, 1, 1, 1], [2, 3]);
        Assert.Equal(kept, OperatorRun.One("Trilu", new Attributes { { "upper", upper } }, x, Tensor.Scalar(diagonal)).Span<float>().ToArray().Sum());
    }

    [Fact]
    public void Cast_SmallFloats_SaturateOrOverflow()
    {
        Tensor x = Tensor.From(448f, 464f, 465f, float.PositiveInfinity, BitConverter.UInt32BitsToSingle(0x7FC00000), -0f, 0.0009765625f, 0.001f);
        Attributes To(bool saturate) => new() { { "to", (long)ElementType.Float8E4M3FN }, { "saturate", saturate } };
        Assert.Equal([0x7E, 0x7E, 0x7E, 0x7E, 0x7F, 0x80, 0x00, 0x01], OperatorRun.One("Cast", To(true), x).Bytes.ToArray());
        Assert.Equal([0x7E, 0x7E, 0x7F, 0x7F, 0x7F, 0x80, 0x00, 0x01], OperatorRun.One("Cast", To(false), x).Bytes.ToArray());
    }

    [Fact]
    public void Cast_EverySmallFloat_SurvivesTheWayThroughFloat32()
    {
        foreach (ElementType type in Enum.GetValues<ElementType>().Where(type => type.IsFloat() && type.BitWidth() == 8))
        {
            Tensor all = Tensor.From<byte>([.. Enumerable.Range(0, 256).Select(i => (byte)i)]).View(type, [256], 0);
            Tensor back = OperatorRun.One("Cast", new Attributes { { "to", (long)type } }, OperatorRun.One("Cast", new Attributes { { "to", 1L } }, all));
            float[] numbers = SmallFloats.Table(type);
            for (int code = 0; code < 256; code++)
            {
                if (float.IsFinite(numbers[code])) Assert.Equal(code, back.Bytes[code]);
                else Assert.False(float.IsNaN(numbers[code]) && !float.IsNaN(numbers[back.Bytes[code]]), $"{type.Name()} {code:x2} is NaN, but came back as {numbers[back.Bytes[code]]}");
            }
        }
    }
}
