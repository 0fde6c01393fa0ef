using Fewbit.Data.Text;
using Fewbit.Tensors;

namespace Fewbit.Tests.Data.Text;

public sealed class TokenBatchesTests
{
    private static readonly TokenStream s_counting = new([.. Enumerable.Range(0, 24)], 24);

    [Fact]
    public void Epoch_Contiguous_ContinuesEveryRow()
    {
        var batches = new TokenBatches(s_counting, new() { BatchSize = 2, Steps = 4 });

        string[] rows = [.. batches.Epoch(0).Select(Text)];

        // 23 tokens have a successor: strips of 11, of which 8 fill batches.
        Assert.Equal(["0 1 2 3 11 12 13 14 > 1 2 3 4 12 13 14 15 anew", "4 5 6 7 15 16 17 18 > 5 6 7 8 16 17 18 19"], rows);
        Assert.Equal(rows[1..], batches.Epoch(7, firstBatch: 1).Select(Text));
    }

    [Fact]
    public void Epoch_ContiguousWithRest_EndsWithAShorterBatch()
    {
        var batches = new TokenBatches(s_counting, new() { BatchSize = 2, Steps = 4, DropLast = false });

        Assert.Equal(3, batches.BatchesPerEpoch);
        TokenBatch last = batches.Epoch(0).Last();
        Assert.Equal((new Shape(2, 3), "8 9 10 19 20 21 > 9 10 11 20 21 22"), (last.Tokens.Shape, Text(last)));
    }

    [Fact]
    public void Epoch_Random_StartsAnywhereAndDependsOnSeedEpochAndNumber()
    {
        TokenBatchesOptions options = new() { BatchSize = 3, Steps = 4, Order = TokenOrder.Random, BatchesPerEpoch = 100, Seed = 1 };
        var batches = new TokenBatches(s_counting, options);

        string[] first = [.. batches.Epoch(0).Select(Text)];
        long[] starts = [.. batches.Epoch(0).SelectMany(batch => batch.Tokens.Span<long>().ToArray().Where((_, i) => i % 4 == 0))];

        Assert.All(batches.Epoch(0), batch => Assert.All(batch.Tokens.Span<long>().ToArray().Zip(batch.Targets.Span<long>().ToArray()), pair => Assert.Equal(pair.First + 1, pair.Second)));
        Assert.Equal(Enumerable.Range(0, 20).Select(i => (long)i), starts.Distinct().Order());
        Assert.Equal(first[40..], batches.Epoch(0, firstBatch: 40).Select(Text));
        Assert.NotEqual(first, batches.Epoch(1).Select(Text));
        Assert.NotEqual(first, new TokenBatches(s_counting, options with { Seed = 2 }).Epoch(0).Select(Text));
    }

    [Theory]
    [InlineData(TokenOrder.Contiguous, 6, "24 tokens of tokens, 24 kinds: is too short for 6 rows of 4 tokens and the token behind; choose fewer")]
    [InlineData(TokenOrder.Random, 1, null)]
    public void Constructor_ShortText_SaysSo(TokenOrder order, int rows, string? expected)
    {
        TokenBatchesOptions options = new() { BatchSize = rows, Steps = 4, Order = order };
        if (expected is not null) Assert.StartsWith(expected, Assert.Throws<ArgumentException>(() => new TokenBatches(s_counting, options)).Message, StringComparison.Ordinal);
        Assert.StartsWith("3 tokens", Assert.Throws<ArgumentException>(() => new TokenBatches(new([0, 1, 2], 3), options)).Message, StringComparison.Ordinal);
    }

    private static string Text(TokenBatch batch) =>
        $"{string.Join(' ', batch.Tokens.Span<long>().ToArray())} > {string.Join(' ', batch.Targets.Span<long>().ToArray())}{(batch.StartsAnew ? " anew" : "")}";
}
