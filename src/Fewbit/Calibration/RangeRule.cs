using System.Globalization;
using Fewbit.Formats;
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

    /// <summary>The range behind whose codes the distribution of the values is best kept: the least Kullback-Leibler divergence. Formats of more than 8 bits clip nothing.</summary>
    public static RangeRule Entropy { get; } = new EntropyRule();

    /// <summary>Clips the lowest and the highest values.</summary>
    /// <param name="percent">Share of values that lie below the upper end, and above the lower end, in percent: 50 to 100.</param>
    public static RangeRule Percentile(double percent = 99.999) => new PercentileRule(Require.InRange(percent, 50, 100));

    /// <summary>Lowest and highest value of each batch, averaged exponentially over the batches.</summary>
    /// <param name="momentum">Weight of the newest batch, 0.001 to 1.</param>
    public static RangeRule MovingAverage(double momentum = 0.1) => new MovingAverageRule(Require.InRange(momentum, 0.001, 1));

    /// <summary>The search of the BRECQ paper's code: 80 ranges from the full one down to 21 % of it, least error to the power 2.4. Keeps up to 4 million values of a tensor.</summary>
    public static RangeRule Brecq { get; } = new BrecqRule();

    /// <summary>
    /// The search of the QDrop paper's code: 100 ranges up to the full one, with every zero point where values lie on both sides of 0, least error to the power 2.4.
    /// Keeps up to 4 million values of a tensor.
    /// </summary>
    public static RangeRule QDrop { get; } = new QDropRule();

    /// <summary>The rule of a text: minmax, mse, entropy, percentile, percentile:99.9, moving-average, moving-average:0.05, brecq, qdrop.</summary>
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
            "entropy" when number is null => Entropy,
            "brecq" when number is null => Brecq,
            "qdrop" when number is null => QDrop,
            "percentile" when isNumber => number is null ? Percentile() : Percentile(value),
            "moving-average" when isNumber => number is null ? MovingAverage() : MovingAverage(value),
            _ => throw new ArgumentException($"there is no range rule '{text}', expected minmax, mse, entropy, percentile[:99.999], moving-average[:0.1], brecq or qdrop", nameof(text)),
        };
    }

    /// <summary>An estimator without values yet.</summary>
    public abstract RangeEstimator CreateEstimator();

    /// <summary>True for searches that papers on learned rounding use, for the values that they quantize.</summary>
    internal virtual bool IsPaperSearch => false;

    /// <summary>An estimator for one channel of a weight.</summary>
    /// <param name="tensor">Lowest and highest of the whole weight.</param>
    internal virtual RangeEstimator CreateChannelEstimator(ValueRange tensor) => CreateEstimator();

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

    private sealed record EntropyRule : RangeRule
    {
        public override RangeEstimator CreateEstimator() => new EntropyEstimator();

        public override string ToString() => "entropy";
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

    private sealed record BrecqRule : RangeRule
    {
        internal override bool IsPaperSearch => true;

        public override RangeEstimator CreateEstimator() => new SearchEstimator(BrecqSearch.Of);

        public override string ToString() => "brecq";
    }

    private sealed record QDropRule : RangeRule
    {
        internal override bool IsPaperSearch => true;

        public override RangeEstimator CreateEstimator() => new SearchEstimator((range, format, scheme) => QDropSearch.Of(range, range, format, scheme));

        internal override RangeEstimator CreateChannelEstimator(ValueRange tensor) => new SearchEstimator((range, format, scheme) => QDropSearch.Of(range, tensor, format, scheme));

        public override string ToString() => "qdrop";
    }
}
