using System.Numerics;
using Fewbit.Tensors;

namespace Fewbit.Graphs.Operators.Movement;

/// <summary>Where the slices lie that tuples of indices name: the last dimension of the index tensor is one tuple.</summary>
internal static class TuplePlaces
{
    /// <summary>First element of each named slice, and the elements of one.</summary>
    public static (long[] Starts, long SliceLength) Find(Node node, Shape data, Tensor indices, int batchDims)
    {
        node.Expect(indices.Rank > 0 && batchDims + indices.Shape[indices.Rank - 1] <= data.Rank, $"indexes data of shape {data} by tuples of shape {indices.Shape}, expected at most {data.Rank - batchDims} indices each");
        int width = (int)indices.Shape[indices.Rank - 1];
        long[] steps = data.Strides();
        var starts = new long[width == 0 ? indices.Shape.CountOf(0, indices.Rank - 1) : indices.ElementCount / width];
        long batchLength = data.CountOf(batchDims, data.Rank), batches = Math.Max(1, data.CountOf(0, batchDims)), perBatch = starts.Length / batches;
        IndexList list = Indices.Read(indices);
        for (int i = 0; i < starts.Length; i++)
        {
            long at = perBatch == 0 ? 0 : i / perBatch * batchLength;
            for (int j = 0; j < width; j++) at += Indices.Resolve(node, list[i * width + j], data[batchDims + j]) * steps[batchDims + j];
            starts[i] = at;
        }
        return (starts, data.CountOf(batchDims + width, data.Rank));
    }
}

/// <summary>ONNX GatherND, opset 13: the slices that tuples of indices name.</summary>
/// <param name="BatchDims">Leading dimensions that data and indices share.</param>
internal sealed record GatherND(int BatchDims) : IDifferentiable
{
    public static GatherND Parse(Node node) => new((int)Math.Clamp(node.Int("batch_dims", 0), 0, 64));

    public void Infer(InferenceContext context)
    {
        context.Node.ExpectInputs(2, 2);
        context.ExpectType(1, type => type == ElementType.Int64, "int64 indices");
        SymbolicShape? shape = null;
        if (context.InputShape(0) is { } data && context.InputShape(1) is { Rank: > 0 } indices && indices[indices.Rank - 1] is { IsKnown: true } width)
        {
            context.Node.Expect(BatchDims < indices.Rank && BatchDims + width.Length <= data.Rank,
                $"indexes data of shape {data} by tuples of shape {indices} with {BatchDims} batch dimensions");
            shape = [.. indices.Dims[..^1], .. data.Dims[(BatchDims + (int)width.Length)..]];
        }
        context.SetOutput(0, context.InputType(0), shape);
    }

    public unsafe void Evaluate(EvaluationContext context)
    {
        if (Converted.Unpacked(context, this)) return;
        (Tensor data, Tensor output) = (context.Input(0), context.Output(0));
        (long[] starts, long length) = TuplePlaces.Find(context.Node, data.Shape, context.Input(1), BatchDims);
        int width = data.Type.BitWidth() / 8;
        byte* to = output.Address;
        foreach (long start in starts)
        {
            Buffer.MemoryCopy(data.Address + start * width, to, length * width, length * width);
            to += length * width;
        }
        GC.KeepAlive(context);
    }

    public void Gradient(GradientContext context)
    {
        if (!context.Needs(0) || context.OutputGradient() is not { } gradient) return;
        context.SetInputGradient(0, gradient.Apply(OperatorTable.FewbitDomain, "GatherNDGradient", new() { { "batch_dims", BatchDims } }, context.Input(0), context.Input(1)));
    }
}

/// <summary>Gradient of GatherND: adds each slice of input 0 to the place it was taken from, in a tensor like input 1; input 2 is the indices.</summary>
internal sealed record GatherNDGradient(int BatchDims) : IDifferentiable
{
    public static GatherNDGradient Parse(Node node) => new(GatherND.Parse(node).BatchDims);

    public void Infer(InferenceContext context)
    {
        context.Node.ExpectInputs(3, 3);
        context.SetOutput(0, context.InputType(0), context.InputShape(1));
    }

    public void Evaluate(EvaluationContext context) => ElementDispatch.Real(context.Node, context.Input(0).Type, new Action(context, BatchDims));

    public void Gradient(GradientContext context)
    {
        if (context.Needs(0) && context.OutputGradient() is { } gradient) context.SetInputGradient(0, gradient.Apply("GatherND", new Attributes { { "batch_dims", BatchDims } }, context.Input(2)));
    }

    private readonly struct Action(EvaluationContext context, int batchDims) : IRealAction
    {
        public void Run<T>() where T : unmanaged, IBinaryFloatingPointIeee754<T>
        {
            Tensor output = context.Output(0);
            (long[] starts, long length) = TuplePlaces.Find(context.Node, output.Shape, context.Input(2), batchDims);
            Span<T> from = context.Input(0).Span<T>(), to = output.Span<T>();
            to.Clear();
            for (int i = 0; i < starts.Length; i++)
            {
                Span<T> target = to.Slice((int)starts[i], (int)length);
                System.Numerics.Tensors.TensorPrimitives.Add(target, from.Slice(i * (int)length, (int)length), target);
            }
        }
    }
}

/// <summary>ONNX ScatterND, opset 18: a copy of the data with slices replaced by, or combined with, updates.</summary>
internal sealed record ScatterND(ScatterReduction Reduction) : IDifferentiable
{
    public static ScatterND Parse(Node node) => new(ScatterElements.ParseReduction(node));

    public void Infer(InferenceContext context)
    {
        context.Node.ExpectInputs(3, 3);
        context.ExpectType(1, type => type == ElementType.Int64, "int64 indices");
        context.ExpectOneType(0, 2);
        if (context.InputShape(0) is { } data && context.InputShape(1) is { Rank: > 0 } indices && context.InputShape(2) is { IsKnown: true } updates && indices[indices.Rank - 1] is { IsKnown: true } width)
        {
            context.Node.Expect(width.Length <= data.Rank, $"indexes data of shape {data} by tuples of shape {indices}");
            SymbolicShape expected = [.. indices.Dims[..^1], .. data.Dims[(int)width.Length..]];
            context.Node.Expect(expected.Matches(updates.ToShape()), $"has updates of shape {updates}, expected {expected}");
        }
        context.InferLikeInput();
    }

    public void Evaluate(EvaluationContext context)
    {
        if (Converted.Unpacked(context, this) || (Reduction != ScatterReduction.None && Converted.ThroughFloat32(context, this))) return;
        if (!context.Input(0).IsAt(context.Output(0))) context.Input(0).CopyTo(context.Output(0));
        if (Reduction == ScatterReduction.None) Copy(context);
        else ElementDispatch.Number(context.Node, context.Input(0).Type, new Action(context, Reduction));
    }

    public void Gradient(GradientContext context)
    {
        Value indices = context.Input(1);
        new ScatterGradients(Reduction, data => data.Apply("GatherND", indices),
            (data, updates, reduction) => data.Apply("ScatterND", new Attributes { { "reduction", reduction } }, indices, updates)).Apply(context);
    }

    private static unsafe void Copy(EvaluationContext context)
    {
        Tensor output = context.Output(0);
        (long[] starts, long length) = TuplePlaces.Find(context.Node, output.Shape, context.Input(1), 0);
        int width = output.Type.BitWidth() / 8;
        byte* from = context.Input(2).Address;
        foreach (long start in starts)
        {
            Buffer.MemoryCopy(from, output.Address + start * width, length * width, length * width);
            from += length * width;
        }
        GC.KeepAlive(context);
    }

    private readonly struct Action(EvaluationContext context, ScatterReduction reduction) : INumberAction
    {
        public void Run<T>() where T : unmanaged, INumber<T>
        {
            Tensor output = context.Output(0);
            (long[] starts, long length) = TuplePlaces.Find(context.Node, output.Shape, context.Input(1), 0);
            Span<T> from = context.Input(2).Span<T>(), to = output.Span<T>();
            int at = 0;
            foreach (long start in starts)
            {
                Span<T> slice = to.Slice((int)start, (int)length);
                foreach (ref T element in slice) element = ScatterElements.Combine(reduction, element, from[at++]);
            }
        }
    }
}
