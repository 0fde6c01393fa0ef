using Fewbit.Data;
using Fewbit.Data.Text;
using Fewbit.Evaluation;
using Fewbit.Runtime;
using Fewbit.Tensors;
using Fewbit.Testing;

namespace Fewbit.Tests.Evaluation;

public sealed class PerplexityMetricTests
{
    private static readonly float s_log3 = MathF.Log(3);

    /// <summary>Whatever comes, the next token is 1 with three quarters.</summary>
    private static Tensor Constant(Tensor tokens, float second)
    {
        float[] logits = [.. Enumerable.Range(0, (int)tokens.ElementCount).SelectMany(_ => new[] { 0, second })];
        return Tensor.From<float>(logits, [tokens.Shape[0], tokens.Shape[1], 2]);
    }

    private static PairedScore Judge(int prompt, params long[] tokens)
    {
        using FunctionModel reference = FunctionModel.Of(["N", "T"], ["N", "T", 2], x => Constant(x, s_log3), ElementType.Int64), model = FunctionModel.Of(["N", "T"], ["N", "T", 2], x => Constant(x, 0), ElementType.Int64);
        return new PairedJudge(reference, _ => [FunctionModel.Batch(Tensor.From<long>(tokens, [2, tokens.Length / 2]))], () => PerplexityMetric.TryFor(reference, prompt)!).Judge(model).Score!;
    }

    [Fact]
    public void Result_HandComputed_IsTheExponentOfTheMean()
    {
        PairedScore score = Judge(1, 0, 1, 1, 0, 0, 1);
        double common = -Math.Log(0.75), rare = -Math.Log(0.25), reference = (3 * common + rare) / 4;
        Assert.Equal(Math.Exp(reference), score.Reference, 1e-6);
        Assert.Equal(2, score.Model, 1e-6);
        Assert.Equal([common, (rare + common) / 2], score.ReferenceSamples, (a, b) => Math.Abs(a - b) < 1e-6);
        Assert.Equal(score.Model - score.Reference, score.Drop, 1e-9);
        Assert.Equal(0.25 * Math.Log(0.25 / 0.5) + 0.75 * Math.Log(0.75 / 0.5), score.Details.Single(detail => detail.Name == "mean KL divergence").Model, 1e-6);
        Interval nats = PairedStatistics.OfMean([Math.Log(2) - common, Math.Log(2) - (rare + common) / 2]);
        Assert.Equal(Math.Exp(reference) * (Math.Exp(nats.High) - 1), score.Interval.High, 1e-4);
    }

    [Fact]
    public void Result_Prompt_IsNotJudged() => Assert.Equal(4.0 / 3, Judge(2, 0, 0, 1, 0, 0, 1).Reference, 1e-6);

    [Fact]
    public void Add_WhatIsNoRowOfTokens_SaysWhatIsExpected()
    {
        Assert.Contains("rows of 1 tokens have none to predict behind a prompt of 1", Assert.Throws<InvalidDataException>(() => Judge(1, 0, 1)).Message, StringComparison.Ordinal);
        Assert.Contains("token 7 is not one of the 2 that output 'y' scores", Assert.Throws<InvalidDataException>(() => Judge(1, 0, 7, 0, 1)).Message, StringComparison.Ordinal);
        using FunctionModel pictures = FunctionModel.Of(["N", 3, 8, 8], ["N", 10], x => x);
        Assert.Null(PerplexityMetric.TryFor(pictures));
    }

    [DataFact("text/stories260K/stories260K.onnx", "text/stories260K/teacher_samples_32x96_u16.bin")]
    public void Result_SamplesOfStories_IsTheFigureMeasuredInPyTorch()
    {
        using ModelRunner model = ModelRunner.Load(Oracles.Data("text/stories260K/stories260K.onnx"));
        TokenRows rows = TokenRows.Samples(TokenStream.Open(Oracles.Data("text/stories260K/teacher_samples_32x96_u16.bin")), 96);
        PairedScore score = ModelEvaluation.Compare(model, model, new SampleBatches(rows, model.Inputs), PerplexityMetric.TryFor(model)).Score!;
        Assert.Equal(32, score.Samples);
        Assert.Equal(1.249, Math.Log(score.Reference), 5e-4);
        Assert.Equal(0, score.Drop);
    }
}
