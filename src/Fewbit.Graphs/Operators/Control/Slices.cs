using Fewbit.Tensors;

namespace Fewbit.Graphs.Operators.Control;

/// <summary>Slices of a tensor along one dimension, and tensors put together from slices.</summary>
internal static unsafe class Slices
{
    /// <summary>The tensor at one position of a dimension, without that dimension.</summary>
    /// <param name="source">The whole; elements that share bytes are given unpacked.</param>
    /// <param name="type">Type of the elements.</param>
    /// <param name="axis">The dimension, counted from the front.</param>
    /// <param name="index">The position.</param>
    public static Tensor Take(Tensor source, ElementType type, int axis, long index)
    {
        Shape shape = new([.. source.Shape.Dims[..axis], .. source.Shape.Dims[(axis + 1)..]]);
        Tensor slice = Tensor.AllocateUninitialized(source.Type, shape);
        Copy(slice, source, axis, index, toSlice: true);
        if (!type.IsPacked()) return slice;
        Tensor packed = Tensor.AllocateUninitialized(type, shape);
        PackedElements.Pack(slice, packed);
        return packed;
    }

    /// <summary>Stacks slices along a new dimension.</summary>
    /// <param name="node">For messages.</param>
    /// <param name="slices">Tensors of one type and shape, in the order of the result.</param>
    /// <param name="value">What computes them: its type and shape, unknown lengths as 0, are those of the slices where there is none.</param>
    /// <param name="axis">Place of the new dimension; negative counts from the back of the result.</param>
    public static Tensor Stack(Node node, IReadOnlyList<Tensor> slices, Value value, long axis)
    {
        if (slices.Count == 0) return Empty(node, value, axis);
        Tensor first = slices[0];
        int at = node.Axis(axis, first.Rank + 1);
        if (first.Type.IsPacked())
        {
            Tensor packed = Tensor.AllocateUninitialized(first.Type, Stacked(first.Shape, at, slices.Count));
            PackedElements.Pack(Stack(node, [.. slices.Select(PackedElements.Unpack)], value, axis), packed);
            return packed;
        }
        Tensor result = Tensor.AllocateUninitialized(first.Type, Stacked(first.Shape, at, slices.Count));
        for (int i = 0; i < slices.Count; i++)
        {
            node.Expect(slices[i].Shape == first.Shape && slices[i].Type == first.Type, $"output {value} of its body is {slices[i]} in iteration {i}, but {first} in the first, expected one shape");
            Copy(slices[i], result, at, i, toSlice: false);
        }
        return result;
    }

    /// <summary>The slice at one position of a dimension, as a node.</summary>
    public static Value Take(Value source, int axis, long index) =>
        source.Apply("Gather", new Attributes { { "axis", axis } }, source.Graph.AddConstant("index", Tensor.Scalar(index)));

    /// <summary>Slices stacked along a new dimension, as nodes.</summary>
    public static Value Stack(IReadOnlyList<Value> slices, long axis)
    {
        Value[] parts = [.. slices.Select(slice => slice.Apply("Unsqueeze", slice.Integers("axes", axis)))];
        return parts[0].Graph.AddNode("Concat", parts, new() { { "axis", axis } }).Outputs[0];
    }

    private static Tensor Empty(Node node, Value value, long axis)
    {
        node.Expect(value.Type != ElementType.Undefined, $"runs no iteration, and output '{value.Name}' of its body states no element type");
        SymbolicShape shape = value.Shape ?? [];
        var lengths = new Shape([.. shape.Select(dim => dim.IsKnown ? dim.Length : 0)]);
        return Tensor.Allocate(value.Type, Stacked(lengths, node.Axis(axis, lengths.Rank + 1), 0));
    }

    private static Shape Stacked(Shape shape, int axis, long length) => new([.. shape.Dims[..axis], length, .. shape.Dims[axis..]]);

    private static void Copy(Tensor slice, Tensor whole, int axis, long index, bool toSlice)
    {
        long outer = whole.Shape.CountOf(0, axis), inner = whole.Type.ByteCount(whole.Shape.CountOf(axis + 1, whole.Rank)), step = inner * whole.Shape[axis];
        for (long i = 0; i < outer; i++)
        {
            byte* part = slice.Address + i * inner, place = whole.Address + i * step + index * inner;
            Buffer.MemoryCopy(toSlice ? place : part, toSlice ? part : place, inner, inner);
        }
        GC.KeepAlive(slice);
        GC.KeepAlive(whole);
    }
}
