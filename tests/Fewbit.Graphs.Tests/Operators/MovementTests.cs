using Fewbit.Tensors;

namespace Fewbit.Graphs.Tests.Operators;

public sealed class MovementTests
{
    public static TheoryData<long[], long[]> Permutations => new()
    {
        { [2, 3, 4, 5], [0, 2, 3, 1] }, { [2, 4, 5, 3], [0, 3, 1, 2] }, { [33, 70], [1, 0] }, { [2, 3, 4, 5], [0, 2, 1, 3] }, { [2, 3, 4], [2, 1, 0] },
        { [300, 500], [1, 0] }, { [3, 1, 2, 1, 4], [4, 3, 0, 1, 2] }, { [0, 3], [1, 0] }, { [5], [0] }, { [2, 3, 4, 5, 2, 3], [5, 0, 4, 1, 3, 2] },
    };

    [Theory]
    [MemberData(nameof(Permutations))]
    public void Transpose_AnyWidth_EqualsNaiveLoop(long[] dims, long[] permutation)
    {
        Tensor x = OperatorRun.Random(new(dims), 1);
        Tensor y = OperatorRun.One("Transpose", new Attributes { { "perm", permutation } }, x);
        long[] steps = x.Shape.Strides();
        for (int i = 0; i < y.ElementCount; i++)
        {
            long rest = i, at = 0;
            for (int axis = dims.Length - 1; axis >= 0; axis--)
            {
                (rest, long position) = Math.DivRem(rest, y.Shape[axis]);
                at += position * steps[permutation[axis]];
            }
            Assert.Equal(x.Span<float>()[(int)at], y.Span<float>()[i]);
        }
        foreach (ElementType type in new[] { ElementType.UInt8, ElementType.Float16, ElementType.Float64 })
        {
            Tensor other = Tensor.AllocateUninitialized(type, y.Shape);
            Graphs.Operators.Casting.Convert(y, other);
            Tensor input = Graphs.Operators.Casting.Convert(x, type);
            Assert.Equal(other.Bytes.ToArray(), OperatorRun.One("Transpose", new Attributes { { "perm", permutation } }, input).Bytes.ToArray());
        }
    }

    [Fact]
    public void Transpose_FourBits_MovesEachElement()
    {
        Tensor packed = Tensor.AllocateUninitialized(ElementType.UInt4, [2, 3]);
        new byte[] { 0x21, 0x43, 0x65 }.CopyTo(packed.Bytes);
        Assert.Equal([0x41, 0x52, 0x63], OperatorRun.One("Transpose", packed).Bytes.ToArray());
    }

    [Theory]
    [InlineData(1, int.MaxValue, 2, new[] { 1, 3 })]
    [InlineData(-2, -100, -1, new[] { 3, 2, 1, 0 })]
    [InlineData(10, -10, -3, new[] { 4, 1 })]
    [InlineData(3, 1, 1, new int[0])]
    [InlineData(0, 5, long.MinValue, new int[0])]
    [InlineData(long.MinValue, long.MaxValue, long.MaxValue, new[] { 0 })]
    public void Slice_EndsOfTheRange_AreThoseOfNumPy(long start, long end, long step, int[] expected)
    {
        Tensor y = OperatorRun.One("Slice", Tensor.From(0, 1, 2, 3, 4), Tensor.From(start), Tensor.From(end), Tensor.From(0L), Tensor.From(step));
        Assert.Equal(expected, y.Span<int>().ToArray());
    }

    [Fact]
    public void Slice_StepOfZero_NamesNode()
    {
        string message = Assert.Throws<InvalidDataException>(() =>
            OperatorRun.One("Slice", Tensor.From(0, 1), Tensor.From(0L), Tensor.From(2L), Tensor.From(0L), Tensor.From(0L))).Message;
        Assert.Equal("Slice 'Slice': steps by 0 along axis 0", message);
    }

    [Fact]
    public void Gather_IndexOutside_NamesIndex()
    {
        string message = Assert.Throws<InvalidDataException>(() => OperatorRun.One("Gather", Tensor.From(0f, 1f), Tensor.From(0L, 2L))).Message;
        Assert.Equal("Gather 'Gather': index 2 is outside of [-2, 1]", message);
    }

    [Theory]
    [InlineData("constant", new[] { 0f, 0f, 1f, 2f, 3f, 0f })]
    [InlineData("reflect", new[] { 3f, 2f, 1f, 2f, 3f, 2f })]
    [InlineData("edge", new[] { 1f, 1f, 1f, 2f, 3f, 3f })]
    [InlineData("wrap", new[] { 2f, 3f, 1f, 2f, 3f, 1f })]
    public void Pad_EachMode_ShowsTheRightElement(string mode, float[] expected)
    {
        Attributes attributes = new() { { "mode", mode } };
        Assert.Equal(expected, OperatorRun.One("Pad", attributes, Tensor.From(1f, 2f, 3f), Tensor.From(2L, 1L)).Span<float>().ToArray());
    }

    [Fact]
    public void SplitConcat_UnequalParts_AreInverse()
    {
        Tensor x = OperatorRun.Random([2, 7, 3], 3);
        Tensor[] parts = OperatorRun.All("Split", new() { { "axis", -2L } }, 3, x, Tensor.From(1L, 0L, 6L));
        Assert.Equal("[2, 1, 3] [2, 0, 3] [2, 6, 3]", string.Join(' ', parts.Select(part => part.Shape)));
        Assert.Equal(x.Span<float>().ToArray(), OperatorRun.One("Concat", new Attributes { { "axis", 1L } }, parts).Span<float>().ToArray());
    }

    [Fact]
    public void Infer_SymbolicLengths_SurviveShapeArithmetic()
    {
        var graph = new Graph();
        Value x = graph.AddInput("x", ElementType.Float32, ["N", "T", 64]);
        Value Lengths(params long[] numbers) => graph.AddConstant("c", Tensor.From<long>(numbers));
        Value shape = x.Apply("Shape"), zero = Lengths(0);
        Value n = shape.Apply("Gather", graph.AddConstant("i", Tensor.Scalar(0L))).Apply("Unsqueeze", zero);
        Value t = shape.Apply("Slice", Lengths(1), Lengths(2), zero);
        Value wanted = graph.AddNode("Concat", [n, t, Lengths(8), Lengths(8)], new() { { "axis", 0L } }).Outputs[0];
        Value heads = x.Apply("Reshape", wanted).Apply("Transpose", new Attributes { { "perm", new long[] { 0, 2, 1, 3 } } });
        Assert.Equal("[N, 8, T, 8]", heads.Shape!.ToString());
        Assert.Equal("[N, 8, ?, 8]", heads.Apply("Slice", Lengths(0), Lengths(-1), Lengths(2)).Shape!.ToString());
        Assert.Equal("[N, T, 1]", x.Apply("ReduceMean", Lengths(-1)).Shape!.ToString());
    }
}
