using System.Globalization;
using System.Numerics;
using Fewbit.Tensors;
using Fewbit.Tensors.Kernels;

namespace Fewbit.Formats;

/// <summary>The integer codes that a bit-width and a signedness allow.</summary>
/// <param name="BitWidth">Bits per code, 1 to 16.</param>
/// <param name="IsSigned">True: two's complement. False: codes start at 0.</param>
/// <param name="IsNarrow">Signed only: drops the lowest code, so int8 is -127..127.</param>
public sealed record IntegerFormat(int BitWidth, bool IsSigned, bool IsNarrow = false) : NumberFormat
{
    /// <summary>Codes -128 to 127.</summary>
    public static IntegerFormat Int8 { get; } = new(8, IsSigned: true);

    /// <summary>Codes 0 to 255.</summary>
    public static IntegerFormat UInt8 { get; } = new(8, IsSigned: false);

    /// <summary>Bits per code.</summary>
    public override int BitWidth { get; } = Require.InRange(BitWidth, 1, 16);

    /// <summary>Lowest code.</summary>
    public int Min => IsSigned ? (IsNarrow ? 1 : 0) - (1 << (BitWidth - 1)) : 0;

    /// <summary>Highest code.</summary>
    public int Max => (1 << (IsSigned ? BitWidth - 1 : BitWidth)) - 1;

    /// <summary>The smallest element type of whole bytes that holds every code.</summary>
    public override ElementType StorageType => (BitWidth > 8, IsSigned) switch
    {
        (false, false) => ElementType.UInt8,
        (false, true) => ElementType.Int8,
        (true, false) => ElementType.UInt16,
        (true, true) => ElementType.Int16,
    };

    /// <summary>The name users write: int8, uint4.</summary>
    public override string Name => string.Create(CultureInfo.InvariantCulture, $"{(IsSigned ? "int" : "uint")}{BitWidth}");

    /// <inheritdoc/>
    public override (int Least, int Most) ZeroPoints => (Min, Max);

    /// <inheritdoc/>
    public override ElementType? OnnxType => (BitWidth, IsSigned) switch
    {
        (2, true) => ElementType.Int2,
        (2, false) => ElementType.UInt2,
        (4, true) => ElementType.Int4,
        (4, false) => ElementType.UInt4,
        (8 or 16, _) => StorageType,
        _ => null,
    };

    internal override bool HasSignedCodes => IsSigned;

    /// <summary>The format of a name: int1 to int16, uint1 to uint16.</summary>
    /// <exception cref="ArgumentException">There is no such format.</exception>
    public static IntegerFormat Parse(string name)
    {
        bool isSigned = !name.StartsWith('u');
        string digits = name[(isSigned ? 0 : 1)..];
        bool isFormat = digits.StartsWith("int", StringComparison.Ordinal)
            && int.TryParse(digits.AsSpan(3), NumberStyles.None, CultureInfo.InvariantCulture, out int bits) && bits is >= 1 and <= 16;
        return isFormat ? new(int.Parse(digits.AsSpan(3), CultureInfo.InvariantCulture), isSigned)
            : throw new ArgumentException($"there is no integer format '{name}', expected int1 to int16 or uint1 to uint16, such as int8", nameof(name));
    }

    /// <summary>The form of messages: int8, int8 narrow.</summary>
    public override string ToString() => IsNarrow ? $"{Name} narrow" : Name;

    /// <inheritdoc/>
    public override ValueRange RangeOf(int zeroPoint = 0) => new(Min - zeroPoint, Max - zeroPoint);

    /// <inheritdoc/>
    public override float[] Numbers(int zeroPoint = 0) => [.. Enumerable.Range(Min, Max - Min + 1).Select(code => (float)(code - zeroPoint))];

    /// <inheritdoc/>
    public override int Encode(float number, int zeroPoint = 0) => AffineQuantizer.Quantize(number, 1, zeroPoint, this);

    /// <inheritdoc/>
    public override float Decode(int code, int zeroPoint = 0) => code - zeroPoint;

    /// <inheritdoc/>
    public override Neighbours NeighboursOf(float number, int zeroPoint = 0)
    {
        CheckNumber(number);
        (float low, float high) = (Min - zeroPoint, Max - zeroPoint);
        float below = Math.Clamp(MathF.Floor(number), low, high);
        return new(below, number < low ? low : Math.Min(below + 1, high));
    }

    /// <inheritdoc/>
    /// <remarks>
    /// Symmetric: scale = max|x| / (codes above the zero point). Affine: scale = (max - min) / (codes - 1).
    /// A range so small that its scale is not a normal float gets scale 1 and the zero point of an empty range.
    /// </remarks>
    public override (float Scale, int ZeroPoint) Fit(ValueRange range, QuantizationScheme scheme)
    {
        double min = Math.Min(0, range.Min), max = Math.Max(0, range.Max);
        if (scheme == QuantizationScheme.Symmetric)
        {
            int middle = IsSigned ? 0 : (Max + 1) / 2;
            // A 1-bit signed format has no code above 0: its only other code is below.
            float step = (float)(Math.Max(-min, max) / Math.Max(1, Max - middle));
            return float.IsNormal(step) ? (step, middle) : (1, middle);
        }
        float scale = (float)((max - min) / (Max - Min));
        if (!float.IsNormal(scale)) return (1, IsSigned && Min < 0 ? 0 : Min);
        int zeroPoint = (int)Math.Clamp(Math.Round(Min - min / scale, MidpointRounding.ToEven), Min, Max);
        return (scale, zeroPoint);
    }

    /// <inheritdoc/>
    public override void Quantize(ReadOnlySpan<float> values, Span<int> codes, float scale, int zeroPoint = 0) => AffineQuantizer.Quantize(values, codes, scale, zeroPoint, this);

    /// <inheritdoc/>
    public override void Dequantize(ReadOnlySpan<int> codes, Span<float> values, float scale, int zeroPoint = 0)
    {
        int i = 0;
        (Vector<int> zero, Vector<float> width) = (new(zeroPoint), new(scale));
        for (; i <= codes.Length - Vector<int>.Count; i += Vector<int>.Count) (Vector.ConvertToSingle(new Vector<int>(codes[i..]) - zero) * width).CopyTo(values[i..]);
        for (; i < codes.Length; i++) values[i] = AffineQuantizer.Dequantize(codes[i], scale, zeroPoint);
    }

    internal override unsafe void FakeQuantize(float* x, float* y, long rows, long inner, ReadOnlySpan<float> scales, ReadOnlySpan<int> zeroPoints)
    {
        var grids = new FakeQuantizer.Grid[scales.Length];
        for (int i = 0; i < grids.Length; i++) grids[i] = new(scales[i], Min - zeroPoints[i], Max - zeroPoints[i]);
        FakeQuantizer.Run(x, y, rows, inner, grids);
    }

    private protected override bool IsInside(float number, int zeroPoint) =>
        MathF.Round(number, MidpointRounding.ToEven) is var code && code >= Min - zeroPoint && code <= Max - zeroPoint;
}
