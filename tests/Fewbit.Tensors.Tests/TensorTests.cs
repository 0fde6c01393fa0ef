namespace Fewbit.Tensors.Tests;

public sealed class TensorTests
{
    [Fact]
    public unsafe void Allocate_AnyLength_IsZeroAndAligned()
    {
        foreach (long length in (long[])[0, 1, 63, 1000])
        {
            Tensor tensor = Tensor.Allocate(ElementType.Float32, [length]);
            Assert.Equal(0, (long)tensor.Address % 64);
            Assert.All(tensor.Span<float>().ToArray(), value => Assert.Equal(0f, value));
        }
    }

    [Fact]
    public void Span_OtherType_NamesBoth() =>
        Assert.Equal("a int64 tensor was read as float32", Assert.ThrowsAny<InvalidOperationException>(() => Tensor.From(1L, 2L).Span<float>()).Message);

    [Fact]
    public void From_WrongCount_NamesShape() =>
        Assert.StartsWith("3 values for shape [2, 2], expected 4", Assert.Throws<ArgumentException>(() => Tensor.From<float>([1, 2, 3], [2, 2])).Message, StringComparison.Ordinal);

    [Fact]
    public void Rows_OfMatrix_ShareMemory()
    {
        Tensor matrix = Tensor.From<float>([1, 2, 3, 4, 5, 6], [3, 2]);
        matrix.Rows(1, 2).Span<float>()[0] = 9;
        Assert.Equal([1, 2, 9, 4, 5, 6], matrix.Span<float>().ToArray());
    }

    [Fact]
    public void ByteCount_PackedTypes_RoundsUp()
    {
        Assert.Equal(3, Tensor.Allocate(ElementType.Int4, [5]).ByteCount);
        Assert.Equal(2, Tensor.Allocate(ElementType.UInt2, [5]).ByteCount);
    }

    [Theory]
    [InlineData(1.0f, 0x3F80)]
    [InlineData(1.00390625f, 0x3F80)] // half way between 1 and the next: to even
    [InlineData(1.01171875f, 0x3F82)]
    [InlineData(float.PositiveInfinity, 0x7F80)]
    public void BFloat16_FromFloat_RoundsHalfToEven(float value, int bits) => Assert.Equal(bits, ((BFloat16)value).Bits);

    [Fact]
    public void BFloat16_NaN_StaysNaN() => Assert.True(float.IsNaN((float)(BFloat16)float.NaN));

    [Fact]
    public void Broadcast_Shapes_FollowsNumPy()
    {
        Assert.Equal(new Shape(8, 3, 4, 5), Shape.Broadcast([3, 1, 5], [8, 1, 4, 1]));
        Assert.Equal(new Shape(0, 3), Shape.Broadcast([0, 1], [3]));
        Assert.Null(Shape.Broadcast([2, 3], [4, 3]));
    }

    [Fact]
    public unsafe void MemoryOwner_Array_IsReadInPlaceWhereItLies()
    {
        byte[] bytes = [.. Enumerable.Range(0, 64).Select(i => (byte)i)];
        var tensor = new Tensor(ElementType.UInt8, [4, 4], new MemoryOwner(bytes, isReadOnly: true), 8);
        GC.Collect();
        Assert.Equal(Enumerable.Range(8, 16).Select(i => (byte)i), tensor.Bytes.ToArray());
        bytes[8] = 200;
        Assert.Equal(200, *tensor.Address);
        Assert.Equal(200, tensor.Span<byte>()[0]);
        Assert.ThrowsAny<ArgumentException>(() => new Tensor(ElementType.UInt8, [64], new MemoryOwner(bytes, isReadOnly: true), 8));
    }
}
