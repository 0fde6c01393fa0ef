using Fewbit.Tensors;

namespace Fewbit.Graphs.Operators.Contributed;

/// <summary>Attention on heads that are a dimension of their own, [N, heads, L, size], as both contributed forms of it prepare them.</summary>
internal static class Heads
{
    /// <summary>Columns [first, first + heads * size) of x [N, L, width] as [N, heads, L, size], with a bias of the same columns added.</summary>
    public static Tensor Split(Tensor x, int first, int heads, int size, ReadOnlySpan<float> bias = default)
    {
        bool fits = x.Rank == 3 && first >= 0 && size >= 0 && (long)heads * size <= x.Shape[2] - first && (bias.IsEmpty || bias.Length >= heads * size);
        if (!fits) throw new TensorFormException($"{x} has no {heads} heads of {size} elements from column {first} on");
        (int batch, int length, int width) = ((int)x.Shape[0], (int)x.Shape[1], (int)x.Shape[2]);
        Tensor split = Tensor.AllocateUninitialized(ElementType.Float32, [batch, heads, length, size]);
        Span<float> from = x.Span<float>(), to = split.Span<float>();
        for (int row = 0; row < batch * heads * length; row++)
        {
            (int n, int rest) = Math.DivRem(row, heads * length);
            (int h, int l) = Math.DivRem(rest, length);
            Span<float> target = to.Slice(row * size, size);
            from.Slice((n * length + l) * width + first + h * size, size).CopyTo(target);
            if (!bias.IsEmpty) System.Numerics.Tensors.TensorPrimitives.Add(target, bias.Slice(h * size, size), target);
        }
        return split;
    }

    /// <summary>[N, heads, L, size] as [N, L, heads * size].</summary>
    public static void Join(Tensor split, Tensor y)
    {
        (int heads, int length, int size) = ((int)split.Shape[1], (int)split.Shape[2], (int)split.Shape[3]);
        Span<float> from = split.Span<float>(), to = y.Span<float>();
        for (int row = 0; row < from.Length / Math.Max(1, size); row++)
        {
            (int n, int rest) = Math.DivRem(row, heads * length);
            (int h, int l) = Math.DivRem(rest, length);
            from.Slice(row * size, size).CopyTo(to[(((n * length + l) * heads + h) * size)..]);
        }
    }

    /// <summary>softmax(scale q k' + mask) v, written as [N, L, heads * size].</summary>
    public static void Attend(EvaluationContext context, Tensor q, Tensor k, Tensor v, Tensor? mask, float scale, float softCap, Tensor y)
    {
        var shape = new AttentionShape((int)q.Shape[0], (int)q.Shape[1], (int)k.Shape[1], (int)q.Shape[2], 0, (int)k.Shape[2], (int)q.Shape[3], (int)v.Shape[3], true);
        var kernel = new AttentionKernel<float>(new(0, 0, scale, softCap, false, -1), shape, mask?.Shape);
        Tensor split = Tensor.AllocateUninitialized(ElementType.Float32, [shape.Batch, shape.Heads, shape.Queries, shape.ValueSize]);
        kernel.Run(new(context.Node, [q, k, v, mask], [split], new()));
        Join(split, y);
    }
}
