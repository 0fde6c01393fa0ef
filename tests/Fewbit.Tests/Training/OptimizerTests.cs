using Fewbit.Graphs;
using Fewbit.Tensors;
using Fewbit.Training;

namespace Fewbit.Tests.Training;

public class OptimizerTests
{
    private const int Steps = 20;
    private const double Rate = 0.03, Decay = 0.05;
    private static readonly LossOptions SquaredError = new() { Kind = LossKind.MeanSquared };

    public static TheoryData<OptimizerOptions, Func<Func<double, double, int, double>>> Optimizers => new()
    {
        { new Sgd { LearningRate = Rate, Momentum = 0, WeightDecay = Decay }, () => (p, g, _) => p - Rate * (g + Decay * p) },
        { new Sgd { LearningRate = Rate, WeightDecay = Decay }, () => Momentum(isNesterov: false) },
        { new Sgd { LearningRate = Rate, WeightDecay = Decay, IsNesterov = true }, () => Momentum(isNesterov: true) },
        { new Adam { LearningRate = Rate, WeightDecay = Decay }, () => AdamStep(p => p, Decay) },
        { new AdamW { LearningRate = Rate, WeightDecay = Decay, Beta2 = 0.99 }, () => AdamStep(p => p * (1 - Rate * Decay), 0, beta2: 0.99) },
        { new RmsProp { LearningRate = Rate, WeightDecay = Decay }, () => RmsPropStep(0) },
        { new RmsProp { LearningRate = Rate, WeightDecay = Decay, Momentum = 0.8, Alpha = 0.9 }, () => RmsPropStep(0.8, 0.9) },
    };

    /// <summary>Twenty steps in float32 stay within 1e-4 of the same steps in float64.</summary>
    [Theory]
    [MemberData(nameof(Optimizers))]
    public void Step_TwentyTimes_EqualsScalarReference(OptimizerOptions optimizer, Func<Func<double, double, int, double>> createRule)
    {
        Graph model = LinearRegression.Model();
        double[] parameters = LinearRegression.Parameters(model);
        Func<double, double, int, double>[] rules = [.. parameters.Select(_ => createRule())];
        var trainer = new Trainer(model, new() { Optimizer = optimizer, Loss = SquaredError });
        for (int step = 1; step <= Steps; step++)
        {
            IReadOnlyDictionary<string, Tensor> batch = LinearRegression.Batch(step);
            double[] gradient = LinearRegression.Gradient(parameters, batch);
            for (int i = 0; i < parameters.Length; i++) parameters[i] = rules[i](parameters[i], gradient[i], step);
            trainer.Step(batch);
        }
        AssertClose(parameters, LinearRegression.Parameters(trainer.Model()));
    }

    [Fact]
    public void Step_ClippedNorm_ScalesAllGradientsAlike()
    {
        const double largest = 0.5;
        Graph model = LinearRegression.Model();
        double[] parameters = LinearRegression.Parameters(model), gradient = LinearRegression.Gradient(parameters, LinearRegression.Batch(1));
        double norm = Math.Sqrt(gradient.Sum(g => g * g));
        Assert.True(norm > largest);
        var trainer = new Trainer(model, new() { Optimizer = new Sgd { LearningRate = Rate, Momentum = 0 }, Loss = SquaredError, ClipNorm = largest });
        trainer.Step(LinearRegression.Batch(1));
        AssertClose([.. parameters.Zip(gradient, (p, g) => p - Rate * g * largest / norm)], LinearRegression.Parameters(trainer.Model()));
    }

    [Fact]
    public void Step_ClippedValue_LimitsEachElement()
    {
        const double largest = 0.1;
        Graph model = LinearRegression.Model();
        double[] parameters = LinearRegression.Parameters(model), gradient = LinearRegression.Gradient(parameters, LinearRegression.Batch(1));
        var trainer = new Trainer(model, new() { Optimizer = new Sgd { LearningRate = Rate, Momentum = 0 }, Loss = SquaredError, ClipValue = largest });
        trainer.Step(LinearRegression.Batch(1));
        AssertClose([.. parameters.Zip(gradient, (p, g) => p - Rate * Math.Clamp(g, -largest, largest))], LinearRegression.Parameters(trainer.Model()));
    }

    [Fact]
    public void Step_Groups_HaveTheirOwnRateAndDecay()
    {
        Graph model = LinearRegression.Model();
        double[] before = LinearRegression.Parameters(model), gradient = LinearRegression.Gradient(before, LinearRegression.Batch(1));
        var trainer = new Trainer(model, new()
        {
            Optimizer = new Sgd { LearningRate = Rate, Momentum = 0, WeightDecay = Decay },
            Loss = SquaredError,
            Groups = [new() { IsVectorsOnly = true, WeightDecay = 0, LearningRateFactor = 2 }],
        });
        trainer.Step(LinearRegression.Batch(1));
        double[] expected = [.. before.Zip(gradient, (p, g) => p - Rate * (g + Decay * p))];
        expected[^1] = before[^1] - 2 * Rate * gradient[^1];
        AssertClose(expected, LinearRegression.Parameters(trainer.Model()));
    }

    [Fact]
    public void Step_FrozenGroup_StaysAsItIs()
    {
        Graph model = LinearRegression.Model();
        var trainer = new Trainer(model, new() { Loss = SquaredError, Groups = [new() { Names = "wei*", IsFrozen = true }] });
        trainer.Step(LinearRegression.Batch(1));
        double[] before = LinearRegression.Parameters(model), after = LinearRegression.Parameters(trainer.Model());
        Assert.Equal(before[..^1], after[..^1]);
        Assert.NotEqual(before[^1], after[^1]);
        Assert.Equal(["bias"], trainer.Parameters.Select(parameter => parameter.Name));
    }

    [Fact]
    public void Model_Averaged_IsTheRunningMeanOfTheWeights()
    {
        const double decay = 0.7;
        var trainer = new Trainer(LinearRegression.Model(), new() { Optimizer = new Sgd { LearningRate = Rate }, Loss = SquaredError, AverageDecay = decay });
        double[] average = LinearRegression.Parameters(trainer.Model());
        for (int step = 0; step < 5; step++)
        {
            trainer.Step(LinearRegression.Batch(step));
            average = [.. average.Zip(LinearRegression.Parameters(trainer.Model()), (a, w) => decay * a + (1 - decay) * w)];
        }
        AssertClose(average, LinearRegression.Parameters(trainer.Model(isAveraged: true)));
    }

    [Fact]
    public void Step_SmallerBatch_SharesTheWeights()
    {
        var trainer = new Trainer(LinearRegression.Model(), new() { Optimizer = new Sgd { LearningRate = Rate, Momentum = 0 }, Loss = SquaredError });
        double[] parameters = LinearRegression.Parameters(trainer.Model());
        foreach (int samples in (int[])[8, 3, 8])
        {
            IReadOnlyDictionary<string, Tensor> batch = LinearRegression.Batch(samples, samples);
            parameters = [.. parameters.Zip(LinearRegression.Gradient(parameters, batch), (p, g) => p - Rate * g)];
            trainer.Step(batch);
        }
        AssertClose(parameters, LinearRegression.Parameters(trainer.Model()));
    }

    private static Func<double, double, int, double> Momentum(bool isNesterov)
    {
        const double momentum = 0.9;
        double velocity = 0;
        return (p, g, _) =>
        {
            g += Decay * p;
            velocity = momentum * velocity + g;
            return p - Rate * (isNesterov ? g + momentum * velocity : velocity);
        };
    }

    private static Func<double, double, int, double> AdamStep(Func<double, double> decay, double gradientDecay, double beta2 = 0.999)
    {
        const double beta1 = 0.9;
        double mean = 0, square = 0;
        return (p, g, step) =>
        {
            g += gradientDecay * p;
            (mean, square) = (beta1 * mean + (1 - beta1) * g, beta2 * square + (1 - beta2) * g * g);
            double corrected = mean / (1 - Math.Pow(beta1, step)), root = Math.Sqrt(square / (1 - Math.Pow(beta2, step)));
            return decay(p) - Rate * corrected / (root + 1e-8);
        };
    }

    private static Func<double, double, int, double> RmsPropStep(double momentum, double alpha = 0.99)
    {
        double square = 0, velocity = 0;
        return (p, g, _) =>
        {
            g += Decay * p;
            square = alpha * square + (1 - alpha) * g * g;
            velocity = momentum * velocity + g / (Math.Sqrt(square) + 1e-8);
            return p - Rate * velocity;
        };
    }

    private static void AssertClose(double[] expected, double[] actual)
    {
        Assert.Equal(expected.Length, actual.Length);
        for (int i = 0; i < expected.Length; i++) Assert.InRange(actual[i], expected[i] - 1e-4, expected[i] + 1e-4);
    }
}
