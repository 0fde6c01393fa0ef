using System.Numerics;
using Fewbit.Tensors;

namespace Fewbit.Graphs.Operators.Movement;

/// <summary>ONNX Gather, opset 13: the items of an axis that the indices name; negative counts from the back.</summary>
internal sealed record Gather(long Axis) : IDifferentiable
{
    public static Gather Parse(Node node) => new(node.Int("axis", 0));

    public void Infer(InferenceContext context)
    {
        context.Node.ExpectInputs(2, 2);
        context.ExpectType(1, type => type is ElementType.Int64 or ElementType.Int32, "int64 or int32 indices");
        SymbolicShape? shape = null;
        if (context.InputShape(0) is { } data && context.InputShape(1) is { } indices)
        {
            context.Node.Expect(data.Rank > 0, $"takes items of a scalar");
            int axis = context.Node.Axis(Axis, data.Rank);
            shape = [.. data.Dims[..axis], .. indices.Dims, .. data.Dims[(axis + 1)..]];
        }
        context.SetOutput(0, context.InputType(0), shape);
        if (context.InputShape(0) is { Rank: 1 } && context.InputDims(0) is { } elements && shape is { Rank: <= 1 } && context.InputInts(1) is { } named)
        {
            context.SetOutputDims(0, Array.ConvertAll(named, index => elements[Indices.Resolve(context.Node, index, elements.Length)]));
        }
    }

    public unsafe void Evaluate(EvaluationContext context)
    {
        if (Converted.Unpacked(context, this)) return;
        (Tensor data, Tensor output) = (context.Input(0), context.Output(0));
        int axis = context.Node.Axis(Axis, data.Rank);
        long outer = data.Shape.CountOf(0, axis), length = data.Shape[axis];
        long itemBytes = data.Shape.CountOf(axis + 1, data.Rank) * (data.Type.BitWidth() / 8);
        byte* to = output.Address, from = data.Address;
        for (long o = 0; o < outer; o++, from += length * itemBytes)
        {
            foreach (long index in Indices.Read(context.Input(1)))
            {
                Buffer.MemoryCopy(from + Indices.Resolve(context.Node, index, length) * itemBytes, to, itemBytes, itemBytes);
                to += itemBytes;
            }
        }
        GC.KeepAlive(context);
    }

    public void Gradient(GradientContext context)
    {
        if (!context.Needs(0) || context.OutputGradient() is not { } gradient) return;
        context.SetInputGradient(0, gradient.Apply(OperatorTable.FewbitDomain, "GatherGradient", new() { { "axis", Axis } }, context.Input(0), context.Input(1)));
    }
}

/// <summary>Gradient of Gather: adds each item of input 0 to the place it was taken from, in a tensor like input 1; input 2 is the indices.</summary>
internal sealed record GatherGradient(long Axis) : IDifferentiable
{
    public static GatherGradient Parse(Node node) => new(node.Int("axis", 0));

    public void Infer(InferenceContext context)
    {
        context.Node.ExpectInputs(3, 3);
        context.SetOutput(0, context.InputType(0), context.InputShape(1));
    }

    public void Evaluate(EvaluationContext context) => ElementDispatch.Real(context.Node, context.Input(0).Type, new Action(context, Axis));

    public void Gradient(GradientContext context)
    {
        if (context.Needs(0) && context.OutputGradient() is { } gradient) context.SetInputGradient(0, gradient.Apply("Gather", new Attributes { { "axis", Axis } }, context.Input(2)));
    }

    private readonly struct Action(EvaluationContext context, long wantedAxis) : IRealAction
    {
        public void Run<T>() where T : unmanaged, IBinaryFloatingPointIeee754<T>
        {
            Tensor output = context.Output(0);
            int axis = context.Node.Axis(wantedAxis, output.Rank);
            int outer = (int)output.Shape.CountOf(0, axis), length = (int)output.Shape[axis], item = (int)output.Shape.CountOf(axis + 1, output.Rank);
            Span<T> from = context.Input(0).Span<T>(), to = output.Span<T>();
            to.Clear();
            int at = 0;
            for (int o = 0; o < outer; o++)
            {
                foreach (long index in Indices.Read(context.Input(2)))
                {
                    Span<T> target = to.Slice((o * length + (int)Indices.Resolve(context.Node, index, length)) * item, item);
                    for (int i = 0; i < item; i++) target[i] += from[at++];
                }
            }
        }
    }
}

/// <summary>Reads indices that may be int32 or int64, and may count from the back.</summary>
internal static class Indices
{
    public static IndexList Read(Tensor tensor) => new(tensor);

    /// <summary>The index counted from the front.</summary>
    /// <exception cref="InvalidDataException">It lies outside.</exception>
    public static long Resolve(Node node, long index, long length)
    {
        node.Expect(index >= -length && index < length, $"index {index} is outside of [{-length}, {length - 1}]");
        return index < 0 ? index + length : index;
    }
}

/// <summary>The elements of an int32 or int64 tensor, without a copy.</summary>
internal readonly ref struct IndexList
{
    private readonly Span<int> _narrow;
    private readonly Span<long> _wide;

    public IndexList(Tensor tensor)
    {
        if (tensor.Type == ElementType.Int32) _narrow = tensor.Span<int>();
        else _wide = tensor.Span<long>();
        Count = (int)tensor.ElementCount;
    }

    public int Count { get; }

    public long this[int index] => _wide.IsEmpty ? _narrow[index] : _wide[index];

    public Enumerator GetEnumerator() => new(this);

    public ref struct Enumerator(IndexList list)
    {
        private readonly IndexList _list = list;
        private int _at = -1;

        public readonly long Current => _list[_at];

        public bool MoveNext() => ++_at < _list.Count;
    }
}
