using Fewbit.Formats;
using Fewbit.Tensors;

namespace Fewbit.Quantization;

/// <summary>A weight that was rounded already.</summary>
/// <param name="Codes">Integers of the format, shape of the weight.</param>
/// <param name="Parameters">Format, scales and zero points, one a channel.</param>
internal sealed record GivenWeight(Tensor Codes, QuantizationParameters Parameters);

/// <summary>Quantizers that something else than a range rule chose, such as learned rounding: they are written as they are.</summary>
/// <param name="Weights">By the name of the node that reads the weight; others are rounded to the nearest code.</param>
/// <param name="Activations">By the name of the site's value; others are fitted to what calibration saw.</param>
internal sealed record GivenQuantizers(IReadOnlyDictionary<string, GivenWeight> Weights, IReadOnlyDictionary<string, QuantizationParameters> Activations)
{
    /// <summary>None: everything follows from range rules.</summary>
    public static GivenQuantizers None { get; } = new(new Dictionary<string, GivenWeight>(), new Dictionary<string, QuantizationParameters>());
}
