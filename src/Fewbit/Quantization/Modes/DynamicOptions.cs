using Fewbit.Formats;

namespace Fewbit.Quantization;

/// <summary>What <see cref="Quantizer.Dynamic"/> is to do.</summary>
public sealed record DynamicOptions
{
    /// <summary>Codes of the weights, signed, 2 to 8 bits, one scale per output channel, stored as int8. Default: int8; int7 cannot saturate on CPUs without VNNI.</summary>
    public IntegerFormat Weights { get; init => field = value is { IsSigned: true, BitWidth: >= 2 and <= 8 } ? value : throw new ArgumentException($"weights cannot be {value} in dynamic quantization, expected int2 to int8", nameof(Weights)); } = IntegerFormat.Int8;

    /// <summary>Names of nodes that stay float.</summary>
    public IReadOnlyCollection<string> Exclude { get; init; } = [];
}
