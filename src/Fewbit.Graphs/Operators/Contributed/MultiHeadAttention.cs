using Fewbit.Tensors;

namespace Fewbit.Graphs.Operators.Contributed;

/// <summary>com.microsoft MultiHeadAttention(q, k, v, bias, key_padding_mask, attention_bias, past_key, past_value): heads of [N, L, heads * size] each attend by themselves.</summary>
/// <param name="HeadCount">Heads of query, key and value.</param>
/// <param name="Scale">Factor of the scores; 0: 1 / sqrt(size).</param>
/// <param name="Filter">What is added to the score of a padding key.</param>
/// <param name="IsCausal">Whether a query sees only keys up to its own place.</param>
internal sealed record MultiHeadAttention(int HeadCount, float Scale, float Filter, bool IsCausal) : IDifferentiable
{
    public const int Bias = 3, Padding = 4, ScoreBias = 5, PastKey = 6, PastValue = 7;

    public static MultiHeadAttention Parse(Node node)
    {
        long heads = node.Int("num_heads");
        node.Expect(heads is >= 1 and <= int.MaxValue, $"num_heads is {heads}, expected 1 or more");
        return new((int)heads, node.Float("scale", 0), node.Float("mask_filter_value", -10000), node.Int("unidirectional", 0) != 0);
    }

    public void Infer(InferenceContext context)
    {
        Node node = context.Node;
        node.ExpectInputs(3, 8);
        ElementType type = context.InputType(0);
        context.ExpectType(0, ElementTypes.IsFloat, "a float type");
        SymbolicShape? q = context.InputShape(0), k = context.InputShape(1), v = context.InputShape(2);
        if (q is null || k is null || v is null)
        {
            for (int i = 0; i < 3; i++) context.SetOutput(i, type, null);
            return;
        }
        node.Expect(q.Rank == 3 && k.Rank is 3 or 4 && v.Rank == k.Rank, $"query, key and value have shapes {q}, {k} and {v}, expected [N, L, heads * size] (packed forms are not supported)");
        (Dim keys, Dim size, Dim valueSize) = k.Rank == 4 ? (k[2], k[3], v[3]) : (k[1], k[2].Map(width => width / HeadCount), v[2].Map(width => width / HeadCount));
        bool fits = q[0].MayEqual(k[0]) && q[0].MayEqual(v[0]) && q[2].MayEqual(size * HeadCount) && keys.MayEqual(k.Rank == 4 ? v[2] : v[1]) && (k.Rank == 3 || (k[1].MayEqual(HeadCount) && v[1].MayEqual(HeadCount)));
        node.Expect(fits, $"query, key and value have shapes {q}, {k} and {v}, expected one batch and {HeadCount} heads of equal size");
        node.ExpectVector(context, Bias, size * (2 * HeadCount) + valueSize * HeadCount, "bias");
        Dim total = !context.HasInput(PastKey) ? keys : context.InputShape(PastKey) is { Rank: 4 } past ? past[2] + keys : Dim.Unknown;
        context.SetOutput(0, type, [q[0], q[1], valueSize * HeadCount]);
        context.SetOutput(1, type, [q[0], HeadCount, total, size]);
        context.SetOutput(2, type, [q[0], HeadCount, total, valueSize]);
    }

    public void Evaluate(EvaluationContext context)
    {
        if (Converted.ThroughFloat32(context, this)) return;
        Tensor query = context.Input(0), value = context.Input(2);
        context.Node.Expect(query.Type == ElementType.Float32, $"does not take {query.Type.Name()} elements");
        int size = (int)query.Shape[2] / HeadCount, valueSize = (int)(value.Rank == 4 ? value.Shape[3] : value.Shape[2] / HeadCount), width = HeadCount * size;
        ReadOnlySpan<float> bias = context.FindInput(Bias) is { } stated ? stated.Span<float>() : default;
        Tensor q = Heads.Split(query, 0, HeadCount, size, bias.IsEmpty ? default : bias[..width]);
        Tensor k = Joined(context, 1, PastKey, size, bias.IsEmpty ? default : bias.Slice(width, width)), v = Joined(context, 2, PastValue, valueSize, bias.IsEmpty ? default : bias[(2 * width)..]);
        if (context.HasOutput(1)) k.CopyTo(context.Output(1));
        if (context.HasOutput(2)) v.CopyTo(context.Output(2));
        Heads.Attend(context, q, k, v, Mask(context, (int)q.Shape[2], (int)k.Shape[2]), Scale, 0, context.Output(0));
    }

    public void Gradient(GradientContext context)
    {
        context.Node.Expect(context.Input(0).Shape is { Rank: 3 } shape && shape[2].IsKnown && context.Input(1).Shape is not null && context.Input(2).Shape is not null, $"has a query {context.Input(0)} of unknown width or a key or value of unknown rank, which its gradient rule needs");
        CompositeGradient.Apply(context, inputs => MultiHeadSpelling.SpellOut(this, inputs));
    }

    /// <summary>Earlier and new keys (or values) as [N, heads, total, size].</summary>
    private Tensor Joined(EvaluationContext context, int input, int pastInput, int size, ReadOnlySpan<float> bias)
    {
        Tensor current = context.Input(input), split = current.Rank == 4 ? current : Heads.Split(current, 0, HeadCount, size, bias);
        if (context.FindInput(pastInput) is not { } past) return split;
        bool fits = past.Rank == 4 && past.Shape[0] == split.Shape[0] && past.Shape[1] == HeadCount && past.Shape[3] == size;
        context.Node.Expect(fits, $"input {pastInput} has shape {past.Shape}, expected [{split.Shape[0]}, {HeadCount}, past length, {size}]");
        int earlier = (int)past.Shape[2] * size, later = (int)split.Shape[2] * size;
        Tensor joined = Tensor.AllocateUninitialized(ElementType.Float32, past.Shape.With(2, past.Shape[2] + split.Shape[2]));
        for (int head = 0; head < (int)split.Shape[0] * HeadCount; head++)
        {
            past.Span<float>().Slice(head * earlier, earlier).CopyTo(joined.Span<float>()[(head * (earlier + later))..]);
            split.Span<float>().Slice(head * later, later).CopyTo(joined.Span<float>()[(head * (earlier + later) + earlier)..]);
        }
        return joined;
    }

    /// <summary>What is added to the scores: the bias of the node, padding keys, later keys; null where nothing is.</summary>
    private Tensor? Mask(EvaluationContext context, int queries, int keys)
    {
        Tensor? padding = context.FindInput(Padding), scores = context.FindInput(ScoreBias);
        if (padding is null && scores is null && !IsCausal) return null;
        int batch = (int)context.Input(0).Shape[0];
        Tensor mask = Tensor.Allocate(ElementType.Float32, [batch, scores is { Rank: 4 } && scores.Shape[1] > 1 ? HeadCount : 1, queries, keys]);
        if (scores is not null)
        {
            context.Node.Expect(Shape.Broadcast(mask.Shape, scores.Shape) == mask.Shape, $"attention_bias has shape {scores.Shape}, which does not broadcast to [{batch}, {HeadCount}, {queries}, {keys}]");
            var walk = new BroadcastWalk(mask.Shape, scores.Shape, scores.Shape);
            foreach (ref float sum in mask.Span<float>())
            {
                sum = scores.Span<float>()[(int)walk.A];
                walk.Next();
            }
        }
        int[]? isKey = padding is null ? null : Quantized.Codes.Read(padding);
        bool isLengths = padding is { Rank: 1 } && padding.ElementCount == batch;
        context.Node.Expect(padding is null || isLengths || padding.ElementCount == (long)batch * keys, $"key_padding_mask has shape {padding?.Shape}, expected [{batch}] or [{batch}, {keys}]");
        Span<float> sums = mask.Span<float>();
        for (int i = 0; i < sums.Length; i++)
        {
            (int n, int key, int query) = (i / (sums.Length / batch), i % keys, i / keys % queries);
            if (isKey is not null && (isLengths ? key >= isKey[n] : isKey[n * keys + key] == 0)) sums[i] += Filter;
            if (IsCausal && key > query + keys - queries) sums[i] = float.NegativeInfinity;
        }
        return mask;
    }
}
