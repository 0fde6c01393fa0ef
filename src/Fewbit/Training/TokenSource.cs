using System.Runtime.InteropServices;
using Fewbit.Data.Text;
using Fewbit.Graphs;
using Fewbit.Storage;
using Fewbit.Tensors;

namespace Fewbit.Training;

/// <summary>A text as batches for a <see cref="Trainer"/>: rows of tokens, and for each token the one behind it as target.</summary>
public sealed class TokenSource : ITrainingSource
{
    private const int JudgedRows = 16;
    private readonly TokenBatches _batches;
    private readonly string _input;
    private readonly int _grouped;

    private TokenSource(TokenStream stream, Graph model, TokenBatchesOptions options, int grouped)
    {
        Value input = model.Inputs.FirstOrDefault(value => value is { Constant: null, Type: ElementType.Int64, Shape.Rank: 2 })
            ?? throw new ArgumentException($"the model has no input of token numbers, int64 [N, T]; it has {string.Join(", ", model.Inputs)}", nameof(model));
        if (input.Shape![1] is { IsKnown: true } tokens && tokens.Length != options.Steps) throw new ArgumentException($"input {input} takes rows of {tokens.Length} tokens, but rows of {options.Steps} are asked for", nameof(options));
        if (model.Outputs[0].Shape is { Rank: 3 } scores && scores[2] is { IsKnown: true } kinds && kinds.Length < stream.VocabularySize)
            throw new ArgumentException($"{stream.Description}: output {model.Outputs[0]} has scores for {kinds.Length} kinds of tokens only", nameof(stream));
        (_batches, _input, _grouped) = (new(stream, options), input.Name, grouped);
        Fingerprint = ContentHash.OfText(Convert.ToHexString(System.Security.Cryptography.SHA256.HashData(MemoryMarshal.AsBytes(stream.Tokens.Span))), options.ToString());
    }

    /// <summary>Rows that start anywhere in the text.</summary>
    /// <param name="stream">The text.</param>
    /// <param name="model">The model that is trained.</param>
    /// <param name="tokens">Tokens a row.</param>
    /// <param name="rows">Rows a batch.</param>
    /// <param name="seed">Fixes the starts.</param>
    /// <param name="stepsPerEpoch">Batches that count as an epoch; null: as many as show about all of the text.</param>
    /// <exception cref="ArgumentException">The model takes no such tokens, or the text is too short.</exception>
    public static TokenSource Random(TokenStream stream, Graph model, int tokens, int rows, long seed, int? stepsPerEpoch = null) =>
        new(stream, model, new() { BatchSize = rows, Steps = tokens, Order = TokenOrder.Random, Seed = seed, BatchesPerEpoch = stepsPerEpoch }, grouped: 1);

    /// <summary>Rows that follow each other and cover the text, each from a fresh state; the tokens that fill no row are left out.</summary>
    /// <inheritdoc cref="Random"/>
    public static TokenSource Consecutive(TokenStream stream, Graph model, int tokens) => new(stream, model, new() { BatchSize = 1, Steps = tokens }, JudgedRows);

    /// <inheritdoc/>
    public string Description => _batches.Stream.Description;

    /// <inheritdoc/>
    public string Fingerprint { get; }

    /// <inheritdoc/>
    public int StepsPerEpoch => (_batches.BatchesPerEpoch + _grouped - 1) / _grouped;

    /// <inheritdoc/>
    public IEnumerable<IReadOnlyDictionary<string, Tensor>> Epoch(int epoch, int first, CancellationToken cancellation)
    {
        if (_grouped == 1) return _batches.Epoch(epoch, first, cancellation).Select(batch => new Dictionary<string, Tensor> { [_input] = batch.Tokens, [Trainer.Target] = batch.Targets });
        return _batches.Epoch(epoch, first * _grouped, cancellation).Select(batch => (Tokens: batch.Tokens.Copy(), Targets: batch.Targets.Copy())).Chunk(_grouped)
            .Select(rows => new Dictionary<string, Tensor> { [_input] = Stack(rows.Select(row => row.Tokens)), [Trainer.Target] = Stack(rows.Select(row => row.Targets)) });
    }

    private static Tensor Stack(IEnumerable<Tensor> rows)
    {
        Tensor[] parts = [.. rows];
        Tensor stacked = Tensor.AllocateUninitialized(ElementType.Int64, [parts.Length, parts[0].Shape[1]]);
        for (int i = 0; i < parts.Length; i++) parts[i].CopyTo(stacked.Rows(i, 1));
        return stacked;
    }
}
