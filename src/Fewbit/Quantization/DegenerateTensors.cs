using Fewbit.Formats;

namespace Fewbit.Quantization;

/// <summary>What a report says of tensors that formulas stumble over.</summary>
internal static class DegenerateTensors
{
    /// <param name="observed">Lowest and highest value of an activation.</param>
    /// <param name="parameters">Its quantizer.</param>
    /// <returns>Empty where nothing is unusual.</returns>
    public static string RemarkOf(ValueRange observed, QuantizationParameters parameters) => observed switch
    {
        { Min: 0, Max: 0 } => "all values are 0",
        _ when IsLost(observed, parameters, 0) => FormattableString.Invariant($"values from {observed.Min:G3} to {observed.Max:G3} are too small for the scale and became 0"),
        { Min: var min, Max: var max } when min == max => "all values are equal",
        _ => "",
    };

    /// <param name="channels">The weights of each channel.</param>
    /// <param name="parameters">Their quantizers.</param>
    /// <returns>Empty where nothing is unusual; channels of zeros are listed elsewhere.</returns>
    public static string RemarkOf(IReadOnlyList<float[]> channels, QuantizationParameters parameters)
    {
        int lost = channels.Index().Count(channel => channel.Item.Length > 0 && IsLost(RangeOf(channel.Item), parameters, Math.Min(channel.Index, parameters.Scales.Length - 1)));
        if (lost > 0) return $"the weights of {lost} of {channels.Count} channels are too small for the scale and became 0";
        float first = channels[0].FirstOrDefault();
        bool areEqual = channels.Sum(channel => channel.Length) > 1 && first != 0 && channels.All(channel => !channel.AsSpan().ContainsAnyExcept(first));
        return areEqual ? "all weights are equal" : "";
    }

    /// <summary>True where even the ends of a range round to 0: with a denormal scale, or one that was enlarged for a bias.</summary>
    private static bool IsLost(ValueRange range, QuantizationParameters parameters, int channel)
    {
        (float scale, int zeroPoint) = (parameters.Scales[channel], parameters.ZeroPoints[channel]);
        return range is not { Min: 0, Max: 0 } && parameters.Numbers.Round(range.Min / scale, zeroPoint) == 0 && parameters.Numbers.Round(range.Max / scale, zeroPoint) == 0;
    }

    private static ValueRange RangeOf(float[] values) => new(values.Min(), values.Max());
}
