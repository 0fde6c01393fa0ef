using Fewbit.Graphs;
using Fewbit.Tensors;

namespace Fewbit.Training;

/// <summary>How a step turns gradients into changes of the parameters. The arithmetic is PyTorch's.</summary>
public abstract record OptimizerOptions
{
    /// <summary>Learning rate that the schedule starts from; finite, 0 and up.</summary>
    public double LearningRate { get; init => field = Require.InRange(value, 0, 1e6, nameof(LearningRate)); }

    /// <summary>Factor of the weights that pulls them to zero, 0 and up; a <see cref="ParameterGroup"/> may state another. Default 0.</summary>
    public double WeightDecay { get; init => field = Require.InRange(value, 0, 1e3, nameof(WeightDecay)); }

    /// <summary>The name that recipes use.</summary>
    public abstract string Name { get; }

    /// <summary>Numbers that change from step to step: the rate, and what an optimizer needs beside it.</summary>
    internal virtual int StepNumbers => 1;

    /// <summary>Writes the numbers of a step.</summary>
    /// <param name="numbers">Filled; as many as <see cref="StepNumbers"/>.</param>
    /// <param name="rate">Learning rate of the group.</param>
    /// <param name="step">Number of the step, from 1.</param>
    internal virtual void WriteStep(Span<float> numbers, double rate, long step) => numbers[0] = (float)rate;

    /// <summary>Appends the node that updates one parameter.</summary>
    internal abstract void Append(ParameterUpdate update);
}

/// <summary>Stochastic gradient descent: g' = g + decay * p; v = momentum * v + g'; p -= rate * v (Nesterov: rate * (g' + momentum * v)).</summary>
public sealed record Sgd : OptimizerOptions
{
    /// <summary>Rate 0.1, momentum 0.9.</summary>
    public Sgd() => LearningRate = 0.1;

    /// <summary>Share of the velocity that stays, 0 to below 1. Default 0.9.</summary>
    public double Momentum { get; init => field = Require.InRange(value, 0, 0.99999, nameof(Momentum)); } = 0.9;

    /// <summary>Whether the step looks one velocity ahead; takes effect with a momentum.</summary>
    public bool IsNesterov { get; init; }

    /// <inheritdoc/>
    public override string Name => "sgd";

    internal override void Append(ParameterUpdate update)
    {
        var attributes = new Attributes { { "momentum", (float)Momentum }, { "weight_decay", (float)update.WeightDecay }, { "nesterov", IsNesterov ? 1L : 0L } };
        update.Append("SgdUpdate", attributes, Momentum == 0 ? null : "velocity");
    }
}

/// <summary>Adam: steps scaled by running moments of the gradient; the decay is added to the gradient.</summary>
/// <remarks>Kingma and Ba, "Adam: A Method for Stochastic Optimization", 2015, arXiv:1412.6980.</remarks>
public record Adam : OptimizerOptions
{
    /// <summary>Rate 0.001.</summary>
    public Adam() => LearningRate = 1e-3;

    /// <summary>Decay of the mean of gradients, 0 to below 1. Default 0.9.</summary>
    public double Beta1 { get; init => field = Require.InRange(value, 0, 0.99999, nameof(Beta1)); } = 0.9;

    /// <summary>Decay of the mean of squared gradients, 0 to below 1. Default 0.999.</summary>
    public double Beta2 { get; init => field = Require.InRange(value, 0, 0.9999999, nameof(Beta2)); } = 0.999;

    /// <summary>Added to the root of the mean square, above 0. Default 1e-8.</summary>
    public double Epsilon { get; init => field = Require.InRange(value, 1e-30, 1, nameof(Epsilon)); } = 1e-8;

    /// <inheritdoc/>
    public override string Name => "adam";

    internal override int StepNumbers => 3;

    private protected virtual bool IsDecoupled => false;

    internal override void WriteStep(Span<float> numbers, double rate, long step) =>
        (numbers[0], numbers[1], numbers[2]) = ((float)rate, (float)(1 - Math.Pow(Beta1, step)), (float)(1 - Math.Pow(Beta2, step)));

    internal override void Append(ParameterUpdate update)
    {
        var attributes = new Attributes
        {
            { "beta1", (float)Beta1 }, { "beta2", (float)Beta2 }, { "epsilon", (float)Epsilon },
            { "weight_decay", (float)update.WeightDecay }, { "decoupled", IsDecoupled ? 1L : 0L },
        };
        update.Append("AdamUpdate", attributes, "moment1", "moment2");
    }
}

/// <summary>Adam with decoupled decay: p *= 1 - rate * decay before the step. Default decay 0.01.</summary>
/// <remarks>Loshchilov and Hutter, "Decoupled Weight Decay Regularization", 2019, arXiv:1711.05101.</remarks>
public sealed record AdamW : Adam
{
    /// <summary>Rate 0.001, decay 0.01.</summary>
    public AdamW() => WeightDecay = 0.01;

    /// <inheritdoc/>
    public override string Name => "adamw";

    private protected override bool IsDecoupled => true;
}

/// <summary>RMSprop: s = alpha * s + (1 - alpha) * g²; b = momentum * b + g / (sqrt(s) + epsilon); p -= rate * b.</summary>
/// <remarks>Hinton, lecture 6e of "Neural Networks for Machine Learning", 2012.</remarks>
public sealed record RmsProp : OptimizerOptions
{
    /// <summary>Rate 0.01.</summary>
    public RmsProp() => LearningRate = 0.01;

    /// <summary>Share of the mean square that stays, 0 to below 1. Default 0.99.</summary>
    public double Alpha { get; init => field = Require.InRange(value, 0, 0.9999999, nameof(Alpha)); } = 0.99;

    /// <summary>Share of the velocity that stays, 0 to below 1. Default 0.</summary>
    public double Momentum { get; init => field = Require.InRange(value, 0, 0.99999, nameof(Momentum)); }

    /// <summary>Added to the root of the mean square, above 0. Default 1e-8.</summary>
    public double Epsilon { get; init => field = Require.InRange(value, 1e-30, 1, nameof(Epsilon)); } = 1e-8;

    /// <inheritdoc/>
    public override string Name => "rmsprop";

    internal override void Append(ParameterUpdate update)
    {
        var attributes = new Attributes { { "alpha", (float)Alpha }, { "momentum", (float)Momentum }, { "epsilon", (float)Epsilon }, { "weight_decay", (float)update.WeightDecay } };
        update.Append("RmsPropUpdate", attributes, "square", Momentum == 0 ? null : "velocity");
    }
}
