using System.Globalization;
using Fewbit.Formats;
using Fewbit.Tensors;

namespace Fewbit.Quantization;

/// <summary>Which weights of a layer share one scale. The default is <see cref="PerChannel"/>.</summary>
public readonly record struct WeightGranularity
{
    private readonly bool _isPerTensor;
    private readonly int _groupSize;

    private WeightGranularity(bool isPerTensor, int groupSize = 0) => (_isPerTensor, _groupSize) = (isPerTensor, groupSize);

    /// <summary>Those of one output channel.</summary>
    public static WeightGranularity PerChannel => default;

    /// <summary>All of them.</summary>
    public static WeightGranularity PerTensor => new(isPerTensor: true);

    /// <summary>
    /// Groups of neighbouring input channels of one output channel, at each position of a kernel. A layer with fewer input channels than a group takes
    /// one scale for each output channel. ONNX Runtime computes such layers in float.
    /// </summary>
    /// <param name="size">Input channels of a group, 2 to 65,536.</param>
    public static WeightGranularity PerGroup(int size) => new(isPerTensor: false, Require.InRange(size, 2, 65_536));

    /// <summary>Input channels that share a scale; null where there are no groups.</summary>
    public int? GroupSize => _groupSize > 0 ? _groupSize : null;

    /// <summary>The granularity of a text: channel, tensor, group:32.</summary>
    /// <exception cref="ArgumentException">There is no such granularity.</exception>
    public static WeightGranularity Parse(string text) => text switch
    {
        "channel" => PerChannel,
        "tensor" => PerTensor,
        ['g', 'r', 'o', 'u', 'p', ':', .. var digits] when int.TryParse(digits, NumberStyles.None, CultureInfo.InvariantCulture, out int size) && size is >= 2 and <= 65_536 => PerGroup(size),
        _ => throw new ArgumentException($"there is no weight granularity '{text}', expected channel, tensor or group:N with N from 2 to 65,536, such as group:32", nameof(text)),
    };

    /// <summary>The text that <see cref="Parse"/> reads.</summary>
    public override string ToString() => _isPerTensor ? "tensor" : _groupSize > 0 ? string.Create(CultureInfo.InvariantCulture, $"group:{_groupSize}") : "channel";

    /// <summary>What shares a scale in a weight.</summary>
    /// <param name="shape">Its shape.</param>
    /// <param name="channelAxis">The dimension of the output channels: input channels lie along the other one of the first two.</param>
    internal Granularity Of(Shape shape, int channelAxis)
    {
        int inputAxis = channelAxis == 0 ? 1 : 0;
        return _isPerTensor ? Granularity.PerTensor : _groupSize > 0 && shape[inputAxis] >= _groupSize ? Granularity.PerBlock(inputAxis, _groupSize) : Granularity.PerChannel(channelAxis);
    }
}
