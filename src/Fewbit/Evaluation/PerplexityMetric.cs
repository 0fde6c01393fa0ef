using Fewbit.Data;
using Fewbit.Graphs;
using Fewbit.Tensors;

namespace Fewbit.Evaluation;

/// <summary>Perplexity of a language model on rows of tokens: exp of the mean of -log p(token | tokens before it), over all tokens of a row behind its prompt.</summary>
/// <remarks>
/// The score of a row is its mean in nats a token. The interval is Student's of the mean difference d, carried over to perplexities: reference * (exp(d) - 1).
/// Beside it stands the mean over tokens of the Kullback-Leibler divergence from the float model.
/// </remarks>
/// <param name="tokens">Name of the input that holds token numbers, [N, T].</param>
/// <param name="logits">Name of the output that holds a score of each kind of token, [N, T, kinds].</param>
/// <param name="prompt">Tokens at the start of each row that are given and not judged, at least 1.</param>
public sealed class PerplexityMetric(string tokens, string logits, int prompt = 1) : PairedMetric
{
    private readonly List<double> _reference = [], _model = [];
    private double _kl;

    /// <inheritdoc/>
    public override Metric Metric => Metric.Perplexity;

    /// <inheritdoc/>
    public override PairedScore Result
    {
        get
        {
            if (_model.Count == 0) throw new ArgumentException("there are no rows of tokens to judge on");
            double[] differences = [.. _reference.Zip(_model, PairedStatistics.Difference)];
            double reference = _reference.Average(), model = _model.Average();
            return new(Metric, Math.Exp(reference), Math.Exp(model), Around, [.. _reference], [.. _model])
            {
                Details = [new("negative log-likelihood", reference, model, "nats"), new("mean KL divergence", null, _kl / _model.Count, "nats")],
            };

            Interval Around(double confidence)
            {
                Interval nats = PairedStatistics.OfMean(differences, confidence);
                return new(Math.Exp(reference) * (Math.Exp(nats.Low) - 1), Math.Exp(reference) * (Math.Exp(nats.High) - 1));
            }
        }
    }

    /// <summary>The metric for a model that takes tokens and scores the ones that follow; null for any other.</summary>
    /// <remarks>Tokens: the first integer input [N, T]. Scores: the first float32 output of three dimensions.</remarks>
    public static PerplexityMetric? TryFor(IModelRunner model, int prompt = 1)
    {
        ArgumentNullException.ThrowIfNull(model);
        ValueInfo? tokens = TokensOf(model.Inputs), logits = model.Outputs.FirstOrDefault(output => output is { Type: ElementType.Float32, Shape: null or { Rank: 3 } });
        return tokens is null || logits is null ? null : new(tokens.Name, logits.Name, prompt);
    }

    /// <summary>The input that takes tokens; null where none does.</summary>
    internal static ValueInfo? TokensOf(IReadOnlyList<ValueInfo> inputs) =>
        inputs.FirstOrDefault(input => input is { Type: ElementType.Int64 or ElementType.Int32, Shape: null or { Rank: 2 } });

    /// <inheritdoc/>
    public override void Add(IReadOnlyDictionary<string, Tensor> reference, IReadOnlyDictionary<string, Tensor> model, SampleBatch batch)
    {
        Tensor ids = batch.Inputs[tokens], expected = reference[logits], actual = model[logits];
        if (expected.Rank != 3 || expected.Shape[0] != ids.Shape[0] || expected.Shape[1] != ids.Shape[1])
            throw new InvalidDataException($"output '{logits}' is {expected} for tokens '{tokens}' {ids}, expected [{ids.Shape[0]}, {ids.Shape[1]}, kinds of tokens]: --metric perplexity is for models that score the next token at every place");
        int steps = (int)ids.Shape[1], kinds = (int)expected.Shape[2];
        if (steps <= prompt) throw new InvalidDataException($"rows of {steps} tokens have none to predict behind a prompt of {prompt}; give longer rows (--sequence-length) or a shorter --prompt");
        for (int row = 0; row < batch.Count; row++) AddRow(Numbers(ids.Rows(row, 1)), expected.Rows(row, 1).Span<float>(), actual.Rows(row, 1).Span<float>(), kinds);
    }

    private void AddRow(long[] row, ReadOnlySpan<float> reference, ReadOnlySpan<float> model, int kinds)
    {
        double first = 0, second = 0, kl = 0;
        for (int step = prompt; step < row.Length; step++)
        {
            ReadOnlySpan<float> a = reference.Slice((step - 1) * kinds, kinds), b = model.Slice((step - 1) * kinds, kinds);
            if ((ulong)row[step] >= (ulong)kinds) throw new InvalidDataException($"token {row[step]} is not one of the {kinds} that output '{logits}' scores: the text is of another vocabulary");
            first += Scores.LogSumExp(a) - a[(int)row[step]];
            second += Scores.LogSumExp(b) - b[(int)row[step]];
            kl += Scores.KlOfLogits(a, b);
        }
        int predicted = row.Length - prompt;
        _reference.Add(first / predicted);
        _model.Add(second / predicted);
        _kl += kl / predicted;
    }

    private static long[] Numbers(Tensor row)
    {
        if (row.Type == ElementType.Int64) return row.Span<long>().ToArray();
        int[] narrow = row.Span<int>().ToArray();
        return Array.ConvertAll(narrow, number => (long)number);
    }
}
