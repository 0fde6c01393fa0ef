using Fewbit.Data.Text;
using Fewbit.Graphs;
using Fewbit.Models;
using Fewbit.Tensors;
using Fewbit.Training;

namespace Fewbit.Tests.Training;

public class MetricsTests
{
    [Fact]
    public void Add_Scores_GivesLossAndRanks()
    {
        var sums = new MetricSums(new());
        sums.Add(Tensor.From<float>([1, 2, 3, 0, 0, 0, 5, 0, 0, 0, 0, 0], [2, 6]), Tensor.From(1L, 5L));
        TrainingMetrics metrics = sums.Result;
        double first = Math.Log(Math.Exp(1) + Math.Exp(2) + Math.Exp(3) + 3) - 2, second = Math.Log(Math.Exp(5) + 5);
        Assert.Equal((first + second) / 2, metrics.Loss, 1e-6);
        Assert.Equal((0, 0.5), (metrics.Top1, metrics.Top5));
        Assert.Null(metrics.Perplexity);
        Assert.Equal(("top-1", true), (metrics.HeadlineName, metrics.IsHigherBetter));
    }

    [Fact]
    public void Add_Tokens_GivesPerplexity()
    {
        var sums = new MetricSums(new());
        sums.Add(Tensor.Allocate(ElementType.Float32, [2, 3, 7]), Tensor.Allocate(ElementType.Int64, [2, 3]));
        Assert.Equal(7, sums.Result.Perplexity!.Value, 1e-5);
        Assert.Equal(6, sums.Result.Samples);
        Assert.Equal(("loss", false), (sums.Result.HeadlineName, sums.Result.IsHigherBetter));
    }

    [Theory]
    [InlineData(LossKind.MeanSquared, (0.25 + 4 + 0) / 3)]
    [InlineData(LossKind.MeanAbsolute, 2.5 / 3)]
    [InlineData(LossKind.Huber, (0.125 + 1.5 + 0) / 3)]
    [InlineData(LossKind.Quantile, (0.5 * 0.2 + 2 * 0.2 + 0) / 3)]
    public void Add_Numbers_GivesTheLossOfTheGraph(LossKind kind, double expected)
    {
        Tensor output = Tensor.From<float>([0.5f, 2, 1], [1, 3]), target = Tensor.From<float>([0, 0, 1], [1, 3]);
        CheckLoss(new() { Kind = kind, Quantile = 0.8 }, output, target, expected);
    }

    [Theory]
    [InlineData(2)]
    [InlineData(3)]
    public void Add_Probabilities_GivesTheDivergenceOfTheGraph(int rank)
    {
        Shape shape = rank == 2 ? [2, 3] : [1, 2, 3];
        Tensor output = Tensor.From<float>([0.5f, 2, 1, 0, 0, 0], shape), target = Tensor.From<float>([0, 0.25f, 0.75f, 1f / 3, 1f / 3, 1f / 3], shape);
        double sum = Math.Log(Math.Exp(0.5) + Math.Exp(2) + Math.Exp(1)), expected = (0.25 * (Math.Log(0.25) - 2 + sum) + 0.75 * (Math.Log(0.75) - 1 + sum)) / 2;
        CheckLoss(new() { Kind = LossKind.KullbackLeibler }, output, target, expected);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(2)]
    [InlineData(0.5)]
    public void Add_ClassesOfTheFocalLoss_GivesTheLossOfTheGraph(double gamma)
    {
        Tensor output = Tensor.From<float>([0.5f, 2, 1, 3, 0, -1], [2, 3]), target = Tensor.From(2L, 0L);
        double[] p = [Math.Exp(1) / (Math.Exp(0.5) + Math.Exp(2) + Math.Exp(1)), Math.Exp(3) / (Math.Exp(3) + 1 + Math.Exp(-1))];
        CheckLoss(new() { Kind = LossKind.Focal, FocalGamma = gamma }, output, target, p.Average(share => -Math.Pow(1 - share, gamma) * Math.Log(share)));
    }

    private static void CheckLoss(LossOptions options, Tensor output, Tensor target, double expected)
    {
        var sums = new MetricSums(options);
        sums.Add(output, target);
        Assert.Equal(expected, sums.Result.Loss, 1e-6);
        var graph = new Graph("identity", opset: 20);
        Value x = graph.AddInput("x", ElementType.Float32, SymbolicShape.From(output.Shape));
        graph.AddOutput(x.Apply("Identity") * graph.AddConstant("w", Tensor.From(1f, 1f, 1f)));
        double loss = new Trainer(graph, new() { Loss = options }).Step(new Dictionary<string, Tensor> { ["x"] = output, [Trainer.Target] = target });
        Assert.Equal(expected, loss, 1e-6);
    }

    [Fact]
    public void Psnr_HalfOff_IsSixDecibels() => Assert.Equal(10 * Math.Log10(4), PictureQuality.Psnr([0.5f, 1], [0, 0.5f]), 1e-6);

    [Fact]
    public void Ssim_EqualPictures_IsOne_AndFallsWithNoise()
    {
        var random = new SeededRandom(1);
        var picture = new float[2 * 16 * 20];
        foreach (ref float value in picture.AsSpan()) value = random.NextSingle();
        float[] noisy = [.. picture.Select(value => value + 0.2f * (float)random.NextNormal())], noisier = [.. picture.Select(value => value + 0.5f * (float)random.NextNormal())];
        Assert.Equal(1, PictureQuality.Ssim(picture, picture, 2, 16, 20), 1e-12);
        double little = PictureQuality.Ssim(noisy, picture, 2, 16, 20), much = PictureQuality.Ssim(noisier, picture, 2, 16, 20);
        Assert.True(much < little && little < 1 && much > 0, $"{much} {little}");
    }

    /// <summary>Constant pictures have no variance: the formula leaves (2ab + C1) / (a² + b² + C1).</summary>
    [Fact]
    public void Ssim_ConstantPictures_ComparesMeans()
    {
        float[] dark = [.. Enumerable.Repeat(0.2f, 144)], bright = [.. Enumerable.Repeat(0.6f, 144)];
        Assert.Equal((2 * 0.12 + 1e-4) / (0.4 + 1e-4), PictureQuality.Ssim(dark, bright, 1, 12, 12), 1e-6);
    }

    [Fact]
    public void TokenSource_Consecutive_CoversTheTextRowByRow()
    {
        var stream = new TokenStream([.. Enumerable.Range(0, 100)], 100);
        var source = TokenSource.Consecutive(stream, ReferenceModels.Find("lstm-char").Create(new() { Classes = 100 }), tokens: 3);
        long[] tokens = [.. source.Epoch(0, 0, CancellationToken.None).SelectMany(batch => batch["ids"].Span<long>().ToArray())];
        Assert.Equal(Enumerable.Range(0, 99).Select(token => (long)token), tokens);
        Assert.Equal(3, source.StepsPerEpoch);
        Assert.Equal(Enumerable.Range(97, 3).Select(token => (long)token), source.Epoch(0, 2, CancellationToken.None).Single()[Trainer.Target].Span<long>()[..3].ToArray());
    }

    [Fact]
    public void TokenSource_MoreKindsThanScores_SaysSo()
    {
        var stream = new TokenStream([.. Enumerable.Range(0, 100)], 100);
        var problem = Assert.Throws<ArgumentException>(() => TokenSource.Random(stream, ReferenceModels.Find("lstm-char").Create(), tokens: 3, rows: 2, seed: 0));
        Assert.Contains("has scores for 65 kinds of tokens only", problem.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("transformer-char")]
    [InlineData("lstm-char")]
    public void Step_LanguageModel_LearnsARepeatedText(string name)
    {
        Graph model = ReferenceModels.Find(name).Create(new() { Classes = 7, InputSize = 14 });
        var stream = new TokenStream([.. Enumerable.Range(0, 300).Select(i => i % 7)], 7);
        var source = TokenSource.Random(stream, model, tokens: 14, rows: 4, seed: 1, stepsPerEpoch: 30);
        var trainer = new Trainer(model, new() { Optimizer = new Adam { LearningRate = 3e-3 }, ClipNorm = 1 });
        double[] losses = [.. source.Epoch(0, 0, CancellationToken.None).Select(trainer.Step)];
        Assert.InRange(losses[0], 1.5, 4);
        Assert.InRange(losses[^1], 0, 0.5);
    }
}
