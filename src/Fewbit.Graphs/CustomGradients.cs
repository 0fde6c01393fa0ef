using Fewbit.Graphs.Operators;

namespace Fewbit.Graphs;

/// <summary>What the rule of a custom gradient reads.</summary>
/// <param name="Inputs">The inputs of the function.</param>
/// <param name="Output">What the function computed of them.</param>
/// <param name="OutputGradient">Gradient of the loss with respect to the output, of its shape.</param>
public sealed record CustomGradientContext(IReadOnlyList<Value> Inputs, Value Output, Value OutputGradient);

/// <summary>The rule of a custom gradient: an expression for the gradient of each input, of its shape; null where there is none.</summary>
public delegate IReadOnlyList<Value?> CustomGradientRule(CustomGradientContext context);

/// <content>Functions whose gradient is not that of their formula. In a plan they cost nothing beside the function itself.</content>
public sealed partial class Value
{
    /// <summary>A function with a gradient rule of its own: <c>x.WithGradient(x => x.Apply("Round"), c => c.OutputGradient)</c>.</summary>
    /// <param name="function">An expression of this value.</param>
    /// <param name="rule">The gradient of this value; what it is made of can be differentiated again.</param>
    public Value WithGradient(Func<Value, Value> function, Func<CustomGradientContext, Value> rule) =>
        WithGradient([this], inputs => function(inputs[0]), context => [rule(context)]);

    /// <summary>A function of several inputs with a gradient rule of its own.</summary>
    /// <param name="inputs">What gets a gradient; at least one value.</param>
    /// <param name="function">An expression of the inputs.</param>
    /// <param name="rule">One gradient for each input.</param>
    public static Value WithGradient(IReadOnlyList<Value> inputs, Func<IReadOnlyList<Value>, Value> function, CustomGradientRule rule)
    {
        ArgumentOutOfRangeException.ThrowIfZero(inputs.Count);
        Value output = function(inputs);
        return output.Apply(OperatorTable.FewbitDomain, "CustomGradient", new() { { CustomGradient.Rule, rule } }, [.. inputs]);
    }

    /// <summary>The function forward, the identity backward: the straight-through estimator.</summary>
    /// <param name="function">Keeps the shape: rounding, a sign.</param>
    /// <remarks>Bengio, Léonard and Courville, 2013, arXiv:1308.3432.</remarks>
    public Value StraightThrough(Func<Value, Value> function) => WithGradient(function, context => context.OutputGradient);

    /// <summary>The function forward; backward the identity where this value lies in [low, high], 0 elsewhere.</summary>
    public Value ClippedStraightThrough(Func<Value, Value> function, double low, double high) => WithGradient(function, context =>
        context.Inputs[0].Apply(OperatorTable.FewbitDomain, "ClipGradient", null, context.OutputGradient, context.Output.Scalar(low), context.Output.Scalar(high)));

    /// <summary>The value itself; nothing before it learns through it.</summary>
    public Value StopGradient() => Apply(OperatorTable.FewbitDomain, "StopGradient", null);

    /// <summary>The value itself; its gradient is multiplied by a number.</summary>
    public Value ScaleGradient(double factor) => ScaleGradient(Scalar(factor));

    /// <summary>The value itself; its gradient is multiplied by another value, which may change from run to run and gets no gradient.</summary>
    public Value ScaleGradient(Value factor) => Apply(OperatorTable.FewbitDomain, "ScaleGradient", null, factor);

    /// <summary>Learned step size quantization: codes round(x / step) limited to [min, max], times the step; gradients of this value (0 where it is limited) and of the step.</summary>
    /// <param name="step">One element, above 0.</param>
    /// <param name="min">Lowest code.</param>
    /// <param name="max">Highest code, above 0.</param>
    /// <param name="count">Elements that share the step: those of a weight, or those of one sample of an activation. The step's gradient is divided by √(count · max), which brings its updates to the relative size of the weights'.</param>
    /// <remarks>Esser et al., "Learned Step Size Quantization", 2019, arXiv:1902.08153.</remarks>
    public Value LearnedStepQuantize(Value step, int min, int max, long count)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(count);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(max);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(min, 0);
        return Apply(OperatorTable.FewbitDomain, "FakeQuantize", new() { { "min", (float)min }, { "max", (float)max } }, step.ScaleGradient(1 / Math.Sqrt((double)count * max)), step.Scalar(0));
    }
}
