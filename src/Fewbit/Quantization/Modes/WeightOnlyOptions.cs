using System.Numerics;
using Fewbit.Formats;

namespace Fewbit.Quantization;

/// <summary>How blocks of codes are written.</summary>
public enum WeightOnlyForm
{
    /// <summary>A blocked DequantizeLinear in front of MatMul: standard ONNX, opset 21, or 25 for 2 bits.</summary>
    DequantizeLinear,
    /// <summary>The operator MatMulNBits of ONNX Runtime: any opset, and it states its own accuracy level.</summary>
    MatMulNBits,
}

/// <summary>What <see cref="Quantizer.WeightOnly"/> is to do. The defaults make int4 blocks of 32 in standard ONNX.</summary>
public sealed record WeightOnlyOptions
{
    /// <summary>Codes of the weights: int2, uint2, int4, uint4, int8 or uint8. Default: int4.</summary>
    public IntegerFormat Weights { get; init => field = CheckFormat(value); } = new(4, IsSigned: true);

    /// <summary>Weights of one output channel that share a scale: a power of two, 16 to 256. Default: 32.</summary>
    public int BlockSize { get; init => field = CheckBlock(value); } = 32;

    /// <summary>Where the zero points lie. Null, the default: symmetric for signed formats, affine for unsigned ones.</summary>
    public QuantizationScheme? Scheme { get; init; }

    /// <summary>How the blocks are written. Default: DequantizeLinear.</summary>
    public WeightOnlyForm Form { get; init; }

    /// <summary>
    /// Accuracy level that MatMulNBits states: 0, the default, multiplies float activations; 4 lets the runtime round them to 8 bits.
    /// A DequantizeLinear cannot state one: ONNX Runtime takes 4 unless its session option session.qdq_matmulnbits_accuracy_level says 0.
    /// </summary>
    public int AccuracyLevel { get; init => field = value is 0 or 4 ? value : throw new ArgumentException($"the accuracy level is {value}, expected 0 or 4", nameof(AccuracyLevel)); }

    /// <summary>Names of nodes that stay float.</summary>
    public IReadOnlyCollection<string> Exclude { get; init; } = [];

    internal QuantizationScheme EffectiveScheme => Scheme ?? (Weights.IsSigned ? QuantizationScheme.Symmetric : QuantizationScheme.Affine);

    private static IntegerFormat CheckFormat(IntegerFormat format) => format.BitWidth is 2 or 4 or 8 ? format
        : throw new ArgumentException($"weights cannot be {format} in blocks, expected int2, uint2, int4, uint4, int8 or uint8", nameof(format));

    private static int CheckBlock(int size) => size is >= 16 and <= 256 && BitOperations.IsPow2(size) ? size
        : throw new ArgumentException($"the block size is {size}, expected 16, 32, 64, 128 or 256", nameof(size));
}
