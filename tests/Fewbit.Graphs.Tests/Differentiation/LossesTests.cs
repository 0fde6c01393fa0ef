using Fewbit.Graphs.Execution;
using Fewbit.Graphs.Operators;
using Fewbit.Tensors;

namespace Fewbit.Graphs.Tests.Differentiation;

public sealed class LossesTests
{
    private static readonly double Ln2 = Math.Log(2);

    // Softmax of these is 1/4, 1/2, 1/4.
    private static readonly Tensor Scores = Tensor.From<double>([0, Ln2, 0, 0, Ln2, 0], [2, 3]);

    [Fact]
    public void CrossEntropy_KnownProbabilities_EqualsLogarithms()
    {
        Tensor classes = Tensor.From(1L, 0L);
        Assert.Equal(1.5 * Ln2, Evaluate(x => Losses.CrossEntropy(x, Ints(x, classes)), Scores), 12);
        Assert.Equal(3 * Ln2, Evaluate(x => Losses.CrossEntropy(x, Ints(x, classes), LossReduction.Sum), Scores), 12);
        Assert.Equal(1 * Ln2, Evaluate(x => Losses.CrossEntropy(x, Ints(x, classes), ignoredClass: 0), Scores), 12);
        // 0.7 ln 2 + 0.3 (ln 4 + ln 2 + ln 4) / 3, and 0.7 ln 4 + the same.
        Assert.Equal((1.2 + 1.9) / 2 * Ln2, Evaluate(x => Losses.CrossEntropy(x, Ints(x, classes), labelSmoothing: 0.3), Scores), 7);
        Assert.Equal(1.2 * Ln2, Evaluate(x => Losses.CrossEntropy(x, Ints(x, classes), labelSmoothing: 0.3, ignoredClass: 0), Scores), 7);
        Assert.Equal(1.2 * Ln2, Evaluate(x => Losses.CrossEntropy(x, Ints(x, classes), LossReduction.Sum, 0.3, ignoredClass: 0), Scores), 7);
    }

    [Fact]
    public void SoftLosses_KnownProbabilities_EqualSums()
    {
        Tensor p = Tensor.From<double>([0.5, 0.5, 0, 0, 1, 0], [2, 3]);
        Assert.Equal((1.5 + 1) / 2 * Ln2, Evaluate(x => Losses.SoftCrossEntropy(x, Real(x, p)), Scores), 12);
        Assert.Equal((0.7 * 1.5 + 0.7 + 1) / 2 * Ln2, Evaluate(x => Losses.SoftCrossEntropy(x, Real(x, p), labelSmoothing: 0.3), Scores), 7);
        Assert.Equal((0.5 + 1) / 2 * Ln2, Evaluate(x => Losses.KullbackLeibler(x.Apply("LogSoftmax"), Real(x, p)), Scores), 12);
        // Teacher: all thirds; -ln 3 + (ln 4 + ln 2 + ln 4) / 3 at temperature 1, and the square of the temperature.
        Assert.Equal(5.0 / 3 * Ln2 - Math.Log(3), Evaluate(x => Losses.Distillation(x, x.Filled(7)), Scores), 12);
        Assert.Equal(4 * (5.0 / 3 * Ln2 - Math.Log(3)), Evaluate(x => Losses.Distillation(x * 2f, x.Filled(7), temperature: 2), Scores), 12);
    }

    [Fact]
    public void FocalLosses_KnownProbabilities_WeighWhatIsWrong()
    {
        Tensor classes = Tensor.From(1L, 0L);
        Assert.Equal((0.25 * Ln2 + 0.5625 * 2 * Ln2) / 2, Evaluate(x => Losses.Focal(x, Ints(x, classes)), Scores), 12);
        Assert.Equal((Ln2 + 2 * Ln2) / 2, Evaluate(x => Losses.Focal(x, Ints(x, classes), gamma: 0), Scores), 12);
        Tensor targets = Tensor.From(1.0, 0.0), zeros = Tensor.From(0.0, 0.0);
        Assert.Equal(0.25 * Ln2 * (0.25 + 0.75) / 2, Evaluate(x => Losses.BinaryFocal(x, Real(x, targets)), zeros), 7);
        Assert.Equal(0.5 * Ln2, Evaluate(x => Losses.BinaryFocal(x, Real(x, targets), gamma: 1, alpha: null), zeros), 12);
    }

    [Fact]
    public void Regression_KnownDifferences_EqualFormulas()
    {
        Tensor x = Tensor.From(0.5, -3.0);
        Assert.Equal(4.625, Evaluate(v => Losses.MeanSquared(v, v.Filled(0)), x), 12);
        Assert.Equal(1.75, Evaluate(v => Losses.MeanAbsolute(v, v.Filled(0)), x), 12);
        Assert.Equal((0.125 + 2.5) / 2, Evaluate(v => Losses.Huber(v, v.Filled(0)), x), 12);
        Assert.Equal(0.125 + 4, Evaluate(v => Losses.Huber(v, v.Filled(0), 2, LossReduction.Sum), x), 12);
        Assert.Equal((0.125 + 4) / 2, Evaluate(v => Losses.SmoothAbsolute(v, v.Filled(0), 2, LossReduction.Sum), x), 12);
        // d = -0.5 and 3.
        Assert.Equal(0.1 * 0.5 + 0.9 * 3, Evaluate(v => Losses.Quantile(v, v.Filled(0), 0.9, LossReduction.Sum), x), 12);
        Assert.Equal(Ln2 + Math.Log(4), Evaluate(v => Losses.BinaryCrossEntropy(v, v.Graph.AddConstant("t", Tensor.From(1.0, 0.0)), LossReduction.Sum), Tensor.From(0, Math.Log(3))), 12);
        Assert.Equal(1000.0, Evaluate(v => Losses.BinaryCrossEntropy(v, v.Filled(0)), Tensor.From(1000.0)), 12);
    }

    [Fact]
    public void Reconstruction_AnyPower_SumsChannelsAndTakesTheMeanOfTheRest()
    {
        Tensor x = Tensor.From<double>([1, 2, -3, 4, 0, -2], [1, 3, 2]);
        foreach ((double power, double expected) in ((double, double)[])[(1, (1 + 3 + 0 + 2 + 4 + 2) / 2.0), (2, (1 + 9 + 0 + 4 + 16 + 4) / 2.0), (2.4, (1 + Math.Pow(3, 2.4) + Math.Pow(2, 2.4) + Math.Pow(4, 2.4) + Math.Pow(2, 2.4)) / 2), (0.5, (1 + Math.Sqrt(3) + Math.Sqrt(2) + 2 + Math.Sqrt(2)) / 2)])
            Assert.Equal(expected, Evaluate(v => Losses.Reconstruction(v, v.Filled(0), power), x), 10);
    }

    [Fact]
    public void TotalVariation_SmallPicture_AddsNeighbours() => Assert.Equal(10, Evaluate(v => Losses.TotalVariation(v), Tensor.From<double>([1, 3, 0, 5], [1, 1, 2, 2])), 12);

    [Fact]
    public void Settings_OutOfRange_NameTheirLimits()
    {
        Value x = new Graph().AddInput("x", ElementType.Float32, [2, 3]);
        Assert.Contains("must be a number above 0", Assert.Throws<ArgumentOutOfRangeException>(() => Losses.Huber(x, x, 0)).Message, StringComparison.Ordinal);
        Assert.Contains("strictly between 0 and 1", Assert.Throws<ArgumentOutOfRangeException>(() => Losses.Quantile(x, x, 1)).Message, StringComparison.Ordinal);
        Assert.Contains("less than 1", Assert.Throws<ArgumentOutOfRangeException>(() => Losses.SoftCrossEntropy(x, x, labelSmoothing: 1)).Message, StringComparison.Ordinal);
        Assert.Contains("must be 0 or more", Assert.Throws<ArgumentOutOfRangeException>(() => Losses.BinaryFocal(x, x, gamma: -1)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Gradients_OfClassification_MatchFiniteDifferencesTwice()
    {
        Tensor scores = GradientCheck.Random([3, 4, 2], 1), classes = Tensor.From<long>([3, 0, 9, 1, 2, 2], [3, 2]), inside = Tensor.From<long>([3, 0, 1, 1, 2, 2], [3, 2]);
        foreach (LossReduction reduction in Enum.GetValues<LossReduction>())
        {
            foreach (double smoothing in (double[])[0, 0.2]) GradientCheck.RunTwice(v => Losses.CrossEntropy(v[0], Ints(v[0], classes), reduction, smoothing, ignoredClass: 9), scores);
            GradientCheck.RunTwice(v => Losses.Focal(v[0], Ints(v[0], inside), 2, reduction), scores);
            GradientCheck.RunTwice(v => Losses.Focal(v[0], Ints(v[0], inside), 1.5, reduction), scores);
            GradientCheck.RunTwice(v => Losses.SoftCrossEntropy(v[0], v[1].Softmax(1), reduction, 0.1), scores, GradientCheck.Random([3, 4, 2], 2));
            GradientCheck.RunTwice(v => Losses.KullbackLeibler(v[0].Apply("LogSoftmax", new Attributes { { "axis", 1 } }), v[1].Softmax(1), reduction), scores, GradientCheck.Random([3, 4, 2], 2));
            GradientCheck.RunTwice(v => Losses.Distillation(v[0], v[0].Graph.AddConstant("teacher", GradientCheck.Random([3, 4, 2], 3)), 3, reduction), scores);
            GradientCheck.RunTwice(v => Losses.BinaryCrossEntropy(v[0], v[1], reduction), scores, GradientCheck.Random([4, 1], 4, 0, 1));
            GradientCheck.RunTwice(v => Losses.BinaryFocal(v[0], Real(v[0], Tensor.From<double>([1, 0, 0, 1], [4, 1])), 2, 0.3, reduction), scores);
        }
    }

    [Theory]
    [InlineData(0)]
    [InlineData(0.5)]
    [InlineData(1.5)]
    [InlineData(2)]
    public void Focal_ScoresWithoutAnyError_HaveGradientsOfZero(double gamma)
    {
        Tensor scores = Tensor.From<float>([200, 0, -200, 0], [2, 2]);
        var graph = new Graph(opset: 21);
        Value x = graph.AddInput("x", ElementType.Float32, [2, 2]);
        Value targets = graph.AddConstant("targets", Tensor.From<float>([1, 0, 0, 1], [2, 2]));
        Value loss = Losses.Focal(x, Ints(x, Tensor.From(0L, 1L)), gamma) + Losses.BinaryFocal(x.Slice(1, 0, 1) * 1f, targets.Slice(1, 0, 1), gamma);
        Gradients.Of(loss, [x])[0].Returns("gradient");
        Assert.Equal([0f, 0, 0, 0], new Interpreter().Run(graph, new Dictionary<string, Tensor> { ["x"] = scores })[0].Span<float>().ToArray());
    }

    [Fact]
    public void Gradients_OfRegression_MatchFiniteDifferencesTwice()
    {
        Tensor x = GradientCheck.Random([2, 3, 5], 1, -2, 2), target = GradientCheck.Random([3, 1], 2);
        foreach (LossReduction reduction in Enum.GetValues<LossReduction>())
        {
            GradientCheck.RunTwice(v => Losses.MeanSquared(v[0], v[1], reduction), x, target);
            GradientCheck.RunTwice(v => Losses.MeanAbsolute(v[0], v[1], reduction), x, target);
            GradientCheck.RunTwice(v => Losses.Huber(v[0], v[1], 0.7, reduction), x, target);
            GradientCheck.RunTwice(v => Losses.SmoothAbsolute(v[0], v[1], 0.7, reduction), x, target);
            GradientCheck.RunTwice(v => Losses.Quantile(v[0], v[1], 0.2, reduction), x, target);
        }
        foreach (double power in (double[])[0.5, 1, 2, 2.4, 3]) GradientCheck.RunTwice(v => Losses.Reconstruction(v[0], v[1], power), x, GradientCheck.Random([2, 3, 5], 3, -2, 2));
        GradientCheck.RunTwice(v => Losses.TotalVariation(v[0]), GradientCheck.Random([2, 2, 3, 4], 4));
    }

    private static double Evaluate(Func<Value, Value> loss, Tensor x)
    {
        var graph = new Graph(opset: 21);
        Value input = graph.AddInput("x", ElementType.Float64, SymbolicShape.From(x.Shape));
        loss(input).Returns("loss");
        return new Interpreter().Run(graph, new Dictionary<string, Tensor> { ["x"] = x })[0].Item<double>();
    }

    private static Value Ints(Value beside, Tensor numbers) => beside.Graph.AddConstant("classes", numbers);

    private static Value Real(Value beside, Tensor numbers) => beside.Graph.AddConstant("targets", numbers);
}
