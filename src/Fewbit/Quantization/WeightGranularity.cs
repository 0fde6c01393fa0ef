namespace Fewbit.Quantization;

/// <summary>Which weights of a layer share one scale. The default is <see cref="PerChannel"/>.</summary>
public readonly record struct WeightGranularity
{
    private readonly bool _isPerTensor;

    private WeightGranularity(bool isPerTensor) => _isPerTensor = isPerTensor;

    /// <summary>Those of one output channel.</summary>
    public static WeightGranularity PerChannel => default;

    /// <summary>All of them.</summary>
    public static WeightGranularity PerTensor => new(isPerTensor: true);

    /// <summary>The granularity of a text: channel, tensor.</summary>
    /// <exception cref="ArgumentException">There is no such granularity.</exception>
    public static WeightGranularity Parse(string text) => text switch
    {
        "channel" => PerChannel,
        "tensor" => PerTensor,
        _ => throw new ArgumentException($"there is no weight granularity '{text}', expected channel or tensor", nameof(text)),
    };

    /// <summary>The text that <see cref="Parse"/> reads.</summary>
    public override string ToString() => _isPerTensor ? "tensor" : "channel";
}
