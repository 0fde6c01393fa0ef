using Fewbit.Tensors;

namespace Fewbit.Graphs.Operators.Text;

/// <summary>ONNX TfIdfVectorizer, opset 9, of numbers: how often each n-gram of a pool is found in a sequence [C] or in each of [N, C].</summary>
/// <param name="Grams">Places in the output by n-gram.</param>
/// <param name="Lengths">Shortest and longest n-gram that is looked for.</param>
/// <param name="MostSkips">Most elements that may be skipped between two of an n-gram.</param>
/// <param name="Mode">TF counts, IDF gives 1 where the count is not 0, TFIDF both; the latter two times the weight.</param>
/// <param name="Width">Length of an output row.</param>
/// <param name="Weights">A weight for each n-gram of the pool by its output place.</param>
internal sealed record TfIdfVectorizer(Dictionary<GramKey, int> Grams, (int Shortest, int Longest) Lengths, int MostSkips, string Mode, int Width, float[]? Weights) : IOperator
{
    public static TfIdfVectorizer Parse(Node node)
    {
        long shortest = node.Int("min_gram_length"), longest = node.Int("max_gram_length"), skips = node.Int("max_skip_count");
        node.Expect(shortest >= 1 && longest >= shortest && longest <= int.MaxValue && skips is >= 0 and <= ushort.MaxValue, $"min_gram_length is {shortest}, max_gram_length {longest} and max_skip_count {skips}, expected 1 <= min <= max and 0 <= skips");
        string mode = node.String("mode");
        node.Expect(mode is "TF" or "IDF" or "TFIDF", $"mode is '{mode}', expected TF, IDF or TFIDF");
        long[] pool = node.Ints("pool_int64s") ?? throw node.Fail("has no attribute 'pool_int64s': a pool of text is not supported");
        long[] starts = node.Ints("ngram_counts") ?? throw node.Fail("has no attribute 'ngram_counts'"), places = node.Ints("ngram_indexes") ?? throw node.Fail("has no attribute 'ngram_indexes'");
        node.Expect(places.Length > 0 && Array.TrueForAll(places, place => place is >= 0 and < 1 << 28), $"ngram_indexes are [{string.Join(", ", places)}], expected places of 0 or more");
        int width = (int)places.Max() + 1;
        float[]? weights = node.Floats("weights") is { Length: > 0 } given ? given : null;
        node.Expect(weights is null || weights.Length >= width, $"has {weights?.Length} weights, expected {width}");
        return new(ReadPool(node, pool, starts, places), ((int)shortest, (int)Math.Min(longest, starts.Length)), (int)skips, mode, width, weights);
    }

    public void Infer(InferenceContext context)
    {
        Node node = context.Node;
        node.ExpectInputs(1, 1);
        context.ExpectType(0, type => type is ElementType.Int32 or ElementType.Int64, "int32 or int64 numbers");
        SymbolicShape? x = context.InputShape(0);
        node.Expect(x is null or { Rank: <= 2 }, $"input has shape {x}, expected [C] or [N, C]");
        context.SetOutput(0, ElementType.Float32, x is null ? null : x.Rank == 2 ? [x[0], Width] : [Width]);
    }

    public void Evaluate(EvaluationContext context)
    {
        Tensor input = context.Input(0);
        long[] x = context.Node.ReadInts(input);
        Span<float> y = context.Output(0).Span<float>();
        y.Clear();
        int rows = input.Rank == 2 ? (int)input.Shape[0] : 1, length = rows == 0 ? 0 : x.Length / rows;
        for (int row = 0; row < rows; row++)
        {
            Span<float> counts = y.Slice(row * Width, Width);
            Count(x.AsMemory(row * length, length), counts);
            for (int i = 0; i < Width && Mode != "TF"; i++) counts[i] = (Mode == "IDF" ? Math.Min(counts[i], 1) : counts[i]) * (Weights?[i] ?? 1);
        }
    }

    /// <summary>N-grams of one length follow those of the length before; each length starts at its count.</summary>
    private static Dictionary<GramKey, int> ReadPool(Node node, long[] pool, long[] starts, long[] places)
    {
        var grams = new Dictionary<GramKey, int>();
        int gram = 0;
        for (int i = 0; i < starts.Length; i++)
        {
            long end = i + 1 < starts.Length ? starts[i + 1] : pool.Length;
            bool fits = starts[i] >= 0 && end <= pool.Length && starts[i] <= end && (end - starts[i]) % (i + 1) == 0;
            node.Expect(fits, $"ngram_counts are [{string.Join(", ", starts)}] for a pool of {pool.Length}, expected rising starts of whole n-grams");
            for (long at = starts[i]; at < end; at += i + 1, gram++)
            {
                node.Expect(gram < places.Length, $"has {places.Length} ngram_indexes, expected one for each n-gram of the pool");
                grams.TryAdd(new(pool.AsMemory((int)at, i + 1), 1), (int)places[gram]);
            }
        }
        return grams;
    }

    private void Count(ReadOnlyMemory<long> x, Span<float> counts)
    {
        for (int step = 1; step <= MostSkips + 1; step++)
        {
            for (int size = Lengths.Shortest; size <= Lengths.Longest && (size - 1L) * step < x.Length; size++)
            {
                // A single element skips nothing.
                if (size == 1 && step > 1) continue;
                int reach = (size - 1) * step + 1;
                for (int start = 0; start + reach <= x.Length; start++)
                {
                    if (Grams.TryGetValue(new(x.Slice(start, reach), step), out int place)) counts[place]++;
                }
            }
        }
    }
}

/// <summary>Every <paramref name="Step"/>-th element of a sequence, compared by what it holds.</summary>
internal readonly record struct GramKey(ReadOnlyMemory<long> Elements, int Step)
{
    public bool Equals(GramKey other)
    {
        ReadOnlySpan<long> a = Elements.Span, b = other.Elements.Span;
        int count = (a.Length - 1) / Step + 1;
        if (count != (b.Length - 1) / other.Step + 1) return false;
        for (int i = 0; i < count; i++)
        {
            if (a[i * Step] != b[i * other.Step]) return false;
        }
        return true;
    }

    public override int GetHashCode()
    {
        var hash = new HashCode();
        for (int i = 0; i < Elements.Length; i += Step) hash.Add(Elements.Span[i]);
        return hash.ToHashCode();
    }
}
