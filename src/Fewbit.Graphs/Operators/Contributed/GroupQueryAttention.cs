using Fewbit.Tensors;

namespace Fewbit.Graphs.Operators.Contributed;

/// <summary>
/// com.microsoft GroupQueryAttention(q, k, v, past_key, past_value, seqlens_k, total_sequence_length, cos, sin, positions, attention_bias): causal attention where several query heads share a key head,
/// over caches [N, key heads, length, size] of which each batch item fills its own part; outputs 1 and 2 are the caches with the new keys and values.
/// </summary>
/// <param name="HeadCount">Query heads.</param>
/// <param name="KeyHeadCount">Key and value heads.</param>
/// <param name="Scale">Factor of the scores; 0: 1 / sqrt(size).</param>
/// <param name="SoftCap">Bound that tanh gives the scores; 0: none.</param>
/// <param name="Window">Most keys that a query sees, its own included; -1: all before it.</param>
/// <param name="Rotary">Whether query and key are turned by their place first, and whether pairs are neighbours.</param>
/// <param name="IsSmooth">Whether a key of score 0 and value 0 is seen beside the others; the input head_sink states another score for each head.</param>
internal sealed record GroupQueryAttention(int HeadCount, int KeyHeadCount, float Scale, float SoftCap, long Window, (bool Is, bool IsInterleaved) Rotary, bool IsSmooth) : IDifferentiable
{
    public const int PastKey = 3, PastValue = 4, LastPlaces = 5, TotalLength = 6, Cosines = 7, Sines = 8, Positions = 9, ScoreBias = 10, Sinks = 11;

    public static GroupQueryAttention Parse(Node node)
    {
        (long heads, long keyHeads) = (node.Int("num_heads"), node.Int("kv_num_heads"));
        node.Expect(keyHeads >= 1 && heads is >= 1 and <= int.MaxValue && heads % keyHeads == 0, $"num_heads is {heads} and kv_num_heads {keyHeads}, expected a multiple");
        node.Expect(node.Int("qk_output", 0) == 0, $"has qk_output, which is not supported");
        return new((int)heads, (int)keyHeads, node.Float("scale", 0), node.Float("softcap", 0), node.Int("local_window_size", -1), (node.Int("do_rotary", 0) != 0, node.Int("rotary_interleaved", 0) != 0), node.Int("smooth_softmax", 0) > 0);
    }

    public void Infer(InferenceContext context)
    {
        Node node = context.Node;
        int count = node.Inputs.Count;
        node.Expect(count is >= 7 and <= 12 && context.HasInput(0) && context.HasInput(LastPlaces) && context.HasInput(TotalLength), $"has {count} inputs, expected query, seqlens_k and total_sequence_length among 7 to 12");
        node.Expect(!Rotary.Is || (context.HasInput(Cosines) && context.HasInput(Sines)), $"has do_rotary, expected inputs cos_cache and sin_cache");
        ElementType type = context.InputType(0);
        context.ExpectType(0, ElementTypes.IsFloat, "a float type");
        SymbolicShape? q = context.InputShape(0);
        node.Expect(q is null or { Rank: 3 }, $"query has shape {q}, expected [N, L, heads * size]");
        Dim size = q?[2].Map(width => width / Shares(context.HasInput(1))) ?? Dim.Unknown;
        Dim past = context.HasInput(PastKey) ? context.InputShape(PastKey)?[2] ?? Dim.Unknown : 0, total = context.InputInts(TotalLength) is [var stated] ? stated : Dim.Unknown;
        Dim length = past.IsKnown && total.IsKnown ? Math.Max(past.Length, total.Length) : Dim.Unknown;
        context.SetOutput(0, type, q is null ? null : [q[0], q[1], size * HeadCount]);
        for (int i = 1; i < 3; i++) context.SetOutput(i, type, [q?[0] ?? Dim.Unknown, KeyHeadCount, length, size]);
    }

    public void Evaluate(EvaluationContext context)
    {
        if (Converted.ThroughFloat32(context, this)) return;
        Node node = context.Node;
        Tensor query = context.Input(0);
        node.Expect(query.Type == ElementType.Float32, $"does not take {query.Type.Name()} elements");
        (int batch, int queries, int size) = ((int)query.Shape[0], (int)query.Shape[1], (int)query.Shape[2] / Shares(context.FindInput(1) is not null));
        long[] last = node.ReadInts(context.Input(LastPlaces));
        long total = node.ReadInt(context.Input(TotalLength));
        long past = context.FindInput(PastKey)?.Shape[2] ?? 0, length = Math.Max(total, past);
        node.Expect(total <= past + queries, $"total_sequence_length is {total}, but {past} earlier and {queries} new keys are given");
        node.Expect(last.Length == batch && Array.TrueForAll(last, place => place >= 0 && place < total) && total is >= 0 and <= int.MaxValue, $"seqlens_k is [{string.Join(", ", last)}], expected {batch} places below total_sequence_length {total}");
        // Where all keys are new, each item starts at 0, filled up behind its end; later the new keys end at its last place.
        int[] starts = Array.ConvertAll(last, place => queries == total ? 0 : (int)place + 1 - queries);
        node.Expect(Array.TrueForAll(starts, start => start >= 0), $"seqlens_k is [{string.Join(", ", last)}], expected {queries - 1} or more for {queries} new keys");
        Tensor q = Turned(context, Heads.Split(query, 0, HeadCount, size), starts);
        Tensor newKeys = Turned(context, New(context, 1, size), starts), newValues = New(context, 2, size);
        Tensor keys = Filled(context, PastKey, newKeys, starts, length), values = Filled(context, PastValue, newValues, starts, length);
        Return(context, 1, keys);
        Return(context, 2, values);
        float[]? sinks = context.FindInput(Sinks) is { } stated ? stated.Span<float>().ToArray() : IsSmooth ? new float[HeadCount] : null;
        node.Expect(sinks is null || sinks.Length == HeadCount, $"head_sink has {sinks?.Length} elements, expected {HeadCount}");
        if (sinks is not null) (keys, values) = (WithSink(keys), WithSink(values));
        Heads.Attend(context, q, keys, values, Mask(context, last, starts, queries, (int)keys.Shape[2], sinks), Scale, SoftCap, context.Output(0));
    }

    public void Gradient(GradientContext context) => CompositeGradient.Apply(context, inputs => new GroupQuerySpelling(this, context.Node, inputs).SpellOut());

    private static void Return(EvaluationContext context, int output, Tensor cache)
    {
        if (context.HasOutput(output)) cache.CopyTo(context.Output(output));
        else context.Provide(output, cache);
    }

    /// <summary>Heads that a row of the query holds: those of keys and values too where it is packed.</summary>
    public int Shares(bool hasKeys) => hasKeys ? HeadCount : HeadCount + 2 * KeyHeadCount;

    /// <summary>The new keys (1) or values (2) as [N, heads, L, size].</summary>
    private Tensor New(EvaluationContext context, int input, int size) => context.FindInput(input) is { } own
        ? Heads.Split(own, 0, KeyHeadCount, size)
        : Heads.Split(context.Input(0), (HeadCount + (input - 1) * KeyHeadCount) * size, KeyHeadCount, size);

    private Tensor Turned(EvaluationContext context, Tensor x, int[] starts)
    {
        if (!Rotary.Is) return x;
        int queries = (int)x.Shape[2];
        Tensor positions = Tensor.AllocateUninitialized(ElementType.Int64, [starts.Length, queries]), y = Tensor.AllocateUninitialized(ElementType.Float32, x.Shape);
        Span<long> places = positions.Span<long>();
        long[]? stated = context.FindInput(Positions) is { } given ? context.Node.ReadInts(given) : null;
        context.Node.Expect(stated is null || stated.Length == places.Length, $"has {stated?.Length} position_ids, expected {places.Length}");
        for (int i = 0; i < places.Length; i++) places[i] = stated?[i] ?? starts[i / queries] + i % queries;
        var rotary = new RotaryEmbedding(0, 2 * context.Input(Cosines).Shape.Dims[^1], Rotary.IsInterleaved);
        rotary.ToKernel<float>().Run(new(context.Node, [x, context.Input(Cosines), context.Input(Sines), positions], [y], new()));
        return y;
    }

    /// <summary>The cache with the new items in their places, zeros where nothing is yet.</summary>
    private static Tensor Filled(EvaluationContext context, int pastInput, Tensor items, int[] starts, long length)
    {
        (int heads, int count, int size) = ((int)items.Shape[1], (int)items.Shape[2], (int)items.Shape[3]);
        Tensor cache = Tensor.Allocate(ElementType.Float32, [starts.Length, heads, length, size]);
        Tensor? past = context.FindInput(pastInput);
        context.Node.Expect(past is null || (past.Rank == 4 && past.Shape[0] == starts.Length && past.Shape[1] == heads && past.Shape[3] == size), $"input {pastInput} has shape {past?.Shape}, expected [{starts.Length}, {heads}, length, {size}]");
        for (int head = 0; head < starts.Length * heads; head++)
        {
            int start = starts[head / heads];
            Span<float> target = cache.Span<float>().Slice(head * (int)length * size, (int)length * size);
            context.Node.Expect(start == 0 || (past is not null && past.Shape[2] >= start), $"seqlens_k speaks of {start} earlier keys, but the cache has shape {past?.Shape}");
            context.Node.Expect((long)start + count <= length, $"seqlens_k puts {count} new keys behind {start} earlier ones, more than the total of {length}");
            if (start > 0) past!.Span<float>().Slice(head * (int)past.Shape[2] * size, start * size).CopyTo(target);
            items.Span<float>().Slice(head * count * size, count * size).CopyTo(target[(start * size)..]);
        }
        return cache;
    }

    /// <summary>One more key (or value) of zeros at the end of each head.</summary>
    private static Tensor WithSink(Tensor cache)
    {
        int items = (int)(cache.Shape[2] * cache.Shape[3]), size = (int)cache.Shape[3];
        Tensor longer = Tensor.Allocate(ElementType.Float32, cache.Shape.With(2, cache.Shape[2] + 1));
        for (int head = 0; head < cache.Shape[0] * cache.Shape[1]; head++) cache.Span<float>().Slice(head * items, items).CopyTo(longer.Span<float>()[(head * (items + size))..]);
        return longer;
    }

    private Tensor Mask(EvaluationContext context, long[] last, int[] starts, int queries, int keys, float[]? sinks)
    {
        Tensor? bias = context.FindInput(ScoreBias);
        Tensor mask = Tensor.Allocate(ElementType.Float32, [last.Length, sinks is not null || (bias is { Rank: 4 } && bias.Shape[1] > 1) ? HeadCount : 1, queries, keys]);
        int heads = (int)mask.Shape[1];
        Span<float> sums = mask.Span<float>();
        for (int i = 0; i < sums.Length; i++)
        {
            (int key, int query, int head, int n) = (i % keys, i / keys % queries, i / (keys * queries) % heads, i / (keys * queries * heads));
            int own = starts[n] + query;
            bool isHidden = key > own || key > last[n] || (Window >= 0 && own - key >= Window);
            if (sinks is not null && key == keys - 1) sums[i] = sinks[head];
            else if (isHidden) sums[i] = float.NegativeInfinity;
            else if (bias is not null) sums[i] = bias.Span<float>()[(int)At(bias.Shape, n, head, query, key)];
        }
        return mask;
    }

    private static long At(Shape bias, int n, int head, int query, int key) =>
        (((bias[0] == 1 ? 0 : n) * bias[1] + (bias[1] == 1 ? 0 : head)) * bias[2] + query) * bias[3] + key;
}
