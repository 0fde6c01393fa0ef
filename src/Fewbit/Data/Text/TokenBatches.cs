using Fewbit.Data.Training;
using Fewbit.Tensors;

namespace Fewbit.Data.Text;

/// <summary>How a text is cut into batches.</summary>
public enum TokenOrder
{
    /// <summary>The text is cut into as many strips as a batch has rows; each batch continues every row where the one before ended, so that a recurrent state may be carried over.</summary>
    Contiguous,

    /// <summary>Each row starts anywhere in the text.</summary>
    Random,
}

/// <summary>Settings of <see cref="TokenBatches"/>.</summary>
public sealed record TokenBatchesOptions
{
    /// <summary>Rows of a batch, 1 to 65536. Default 20.</summary>
    public int BatchSize { get; init => field = Require.InRange(value, 1, 65536, nameof(BatchSize)); } = 20;

    /// <summary>Tokens a row, 1 to 1048576. Default 35.</summary>
    public int Steps { get; init => field = Require.InRange(value, 1, 1 << 20, nameof(Steps)); } = 35;

    /// <summary>How the text is cut. Default: contiguous.</summary>
    public TokenOrder Order { get; init; }

    /// <summary>Contiguous only: whether the tokens that fill no whole batch are left out, else the last batch of an epoch has fewer steps. Default: yes.</summary>
    public bool DropLast { get; init; } = true;

    /// <summary>Random only: batches that count as an epoch, at least 1; null: as many as show about all of the text.</summary>
    public int? BatchesPerEpoch { get; init => field = value is null ? null : Require.InRange(value.Value, 1, int.MaxValue, nameof(BatchesPerEpoch)); }

    /// <summary>Random only: fixes the starts. Default 0.</summary>
    public long Seed { get; init; }
}

/// <summary>Rows of tokens and of the tokens that follow. The tensors are used again: they hold these tokens until the next batch is asked for.</summary>
public sealed class TokenBatch
{
    internal TokenBatch(Tensor tokens, Tensor targets) => (Tokens, Targets) = (tokens, targets);

    /// <summary>Token numbers, int64 [rows, steps].</summary>
    public Tensor Tokens { get; }

    /// <summary>For each token the one behind it, int64 [rows, steps].</summary>
    public Tensor Targets { get; }

    /// <summary>Number of the batch in its epoch, from 0.</summary>
    public int Index { get; internal set; }

    /// <summary>True where the rows do not continue those of the batch before: a carried state must be zeroed.</summary>
    public bool StartsAnew { get; internal set; }
}

/// <summary>Cuts a text into batches for a language model. A batch is a function of seed, epoch and number alone.</summary>
public sealed class TokenBatches
{
    private readonly ReadOnlyMemory<int> _tokens;
    private readonly TokenBatchesOptions _options;
    private readonly TokenBatch _full;
    private readonly TokenBatch? _part;
    private readonly int _stripLength;

    /// <param name="stream">The text.</param>
    /// <param name="options">Null for the defaults.</param>
    /// <exception cref="ArgumentException">The text is too short for one batch.</exception>
    public TokenBatches(TokenStream stream, TokenBatchesOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(stream);
        (Stream, _tokens, _options) = (stream, stream.Tokens, options ?? new());
        (int rows, int steps, bool isRandom) = (_options.BatchSize, _options.Steps, _options.Order == TokenOrder.Random);
        // The last token of a strip is a target only.
        _stripLength = isRandom ? _tokens.Length - 1 : (_tokens.Length - 1) / rows;
        int shortest = isRandom || _options.DropLast ? steps : 1;
        if (_stripLength < shortest)
            throw new ArgumentException($"{stream.Description}: is too short for {(isRandom ? $"a row of {steps} tokens" : $"{rows} rows of {shortest} tokens")} and the token behind; choose fewer", nameof(options));
        int rest = isRandom || _options.DropLast ? 0 : _stripLength % steps;
        BatchesPerEpoch = isRandom ? _options.BatchesPerEpoch ?? (int)Math.Max(1, _tokens.Length / ((long)rows * steps)) : _stripLength / steps + (rest > 0 ? 1 : 0);
        _full = Allocate(rows, steps);
        if (rest > 0) _part = Allocate(rows, rest);
    }

    /// <summary>The text.</summary>
    public TokenStream Stream { get; }

    /// <summary>Batches of one epoch.</summary>
    public int BatchesPerEpoch { get; }

    /// <summary>The batches of an epoch, in order; a batch holds until the next is asked for.</summary>
    /// <param name="epoch">Number of the epoch, from 0.</param>
    /// <param name="firstBatch">The batch to start with, 0 to <see cref="BatchesPerEpoch"/>.</param>
    /// <param name="cancellation">Stops with <see cref="OperationCanceledException"/>.</param>
    public IEnumerable<TokenBatch> Epoch(int epoch, int firstBatch = 0, CancellationToken cancellation = default)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(epoch);
        ArgumentOutOfRangeException.ThrowIfGreaterThan((uint)firstBatch, (uint)BatchesPerEpoch, nameof(firstBatch));
        return Read(epoch, firstBatch, cancellation);
    }

    private IEnumerable<TokenBatch> Read(int epoch, int firstBatch, CancellationToken cancellation)
    {
        ulong seed = SampleOrder.Derive((ulong)_options.Seed, epoch);
        for (int index = firstBatch; index < BatchesPerEpoch; index++)
        {
            cancellation.ThrowIfCancellationRequested();
            TokenBatch batch = _part is not null && index == BatchesPerEpoch - 1 ? _part : _full;
            Fill(batch, index, seed);
            yield return batch;
        }
    }

    private void Fill(TokenBatch batch, int index, ulong seed)
    {
        bool isRandom = _options.Order == TokenOrder.Random;
        (batch.Index, batch.StartsAnew) = (index, isRandom || index == 0);
        int rows = _options.BatchSize, steps = (int)batch.Tokens.Shape[1];
        var random = new SeededRandom(SampleOrder.Derive(seed, index));
        for (int row = 0; row < rows; row++)
        {
            int start = isRandom ? random.NextInt(_tokens.Length - steps) : row * _stripLength + index * _options.Steps;
            Copy(_tokens.Span.Slice(start, steps), batch.Tokens.Span<long>().Slice(row * steps, steps));
            Copy(_tokens.Span.Slice(start + 1, steps), batch.Targets.Span<long>().Slice(row * steps, steps));
        }
    }

    private static void Copy(ReadOnlySpan<int> from, Span<long> to)
    {
        for (int i = 0; i < from.Length; i++) to[i] = from[i];
    }

    private static TokenBatch Allocate(int rows, int steps) => new(Tensor.Allocate(ElementType.Int64, [rows, steps]), Tensor.Allocate(ElementType.Int64, [rows, steps]));
}
