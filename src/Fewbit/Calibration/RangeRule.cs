using System.Globalization;
using Fewbit.Tensors;

namespace Fewbit.Calibration;

/// <summary>How the range of a tensor follows from its values.</summary>
public abstract record RangeRule
{
    private protected RangeRule()
    {
    }

    /// <summary>From the lowest to the highest value: nothing is clipped.</summary>
    public static RangeRule MinMax { get; } = new MinMaxRule();

    /// <summary>The range with the smallest mean squared quantization error, at most the range of the values.</summary>
    public static RangeRule MeanSquaredError { get; } = new MeanSquaredErrorRule();

    /// <summary>Clips the lowest and the highest values.</summary>
    /// <param name="percent">Share of values that lie below the upper end, and above the lower end, in percent: 50 to 100.</param>
    public static RangeRule Percentile(double percent = 99.999) => new PercentileRule(Require.InRange(percent, 50, 100));

    /// <summary>Lowest and highest value of each batch, averaged exponentially over the batches.</summary>
    /// <param name="momentum">Weight of the newest batch, 0.001 to 1.</param>
    public static RangeRule MovingAverage(double momentum = 0.1) => new MovingAverageRule(Require.InRange(momentum, 0.001, 1));

    /// <summary>The rule of a text: minmax, mse, percentile, percentile:99.9, moving-average, moving-average:0.05.</summary>
    /// <exception cref="ArgumentException">There is no such rule.</exception>
    public static RangeRule Parse(string text)
    {
        (string name, string? number) = text.Split(':', 2) is [var first, var second] ? (first, second) : (text, null);
        double value = 0;
        bool isNumber = number is null || double.TryParse(number, NumberStyles.Float, CultureInfo.InvariantCulture, out value);
        return name switch
        {
            "minmax" when number is null => MinMax,
            "mse" when number is null => MeanSquaredError,
            "percentile" when isNumber => number is null ? Percentile() : Percentile(value),
            "moving-average" when isNumber => number is null ? MovingAverage() : MovingAverage(value),
            _ => throw new ArgumentException($"there is no range rule '{text}', expected minmax, mse, percentile[:99.999] or moving-average[:0.1]", nameof(text)),
        };
    }

    /// <summary>An estimator without values yet.</summary>
    public abstract RangeEstimator CreateEstimator();

    private sealed record MinMaxRule : RangeRule
    {
        public override RangeEstimator CreateEstimator() => new MinMaxEstimator();

        public override string ToString() => "minmax";
    }

    private sealed record MeanSquaredErrorRule : RangeRule
    {
        public override RangeEstimator CreateEstimator() => new MeanSquaredErrorEstimator();

        public override string ToString() => "mse";
    }

    private sealed record PercentileRule(double Percent) : RangeRule
    {
        public override RangeEstimator CreateEstimator() => new PercentileEstimator(Percent);

        public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"percentile:{Percent}");
    }

    private sealed record MovingAverageRule(double Momentum) : RangeRule
    {
        public override RangeEstimator CreateEstimator() => new MovingAverageEstimator(Momentum);

        public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"moving-average:{Momentum}");
    }
}
