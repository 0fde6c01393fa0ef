using Fewbit.Tensors;

namespace Fewbit.Formats;

/// <summary>A finite set of numbers and a code for each: what quantization rounds to.</summary>
/// <remarks>
/// A format has no scale: real = number * scale, number = real / scale. The numbers of a format with a zero point are those of its codes minus the zero
/// point; every other format takes zero point 0 alone. Range estimators read <see cref="RangeOf"/> and <see cref="Fit"/>, learned roundings
/// <see cref="NeighboursOf"/>, training <see cref="SlopesAt"/>, export <see cref="OnnxType"/> and <see cref="Pack"/>.
/// </remarks>
public abstract record NumberFormat
{
    private protected NumberFormat()
    {
    }

    /// <summary>Bits per code.</summary>
    public abstract int BitWidth { get; }

    /// <summary>The name users write: int8, fp8e4m3fn, apot4. <see cref="NumberFormats.Parse"/> reads it.</summary>
    public abstract string Name { get; }

    /// <summary>The codes that 0 may get: with a zero point, codes stand for the numbers from there on. (0, 0) where codes cannot be shifted.</summary>
    public virtual (int Least, int Most) ZeroPoints => (0, 0);

    /// <summary>The smallest element type of whole bytes that holds every code.</summary>
    public virtual ElementType StorageType => ElementType.UInt8;

    /// <summary>The ONNX type whose elements are these codes and stand for these numbers; null where there is none.</summary>
    public virtual ElementType? OnnxType => null;

    /// <summary>The lowest and the highest number.</summary>
    public abstract ValueRange RangeOf(int zeroPoint = 0);

    /// <summary>Every finite number, ascending, each once.</summary>
    public abstract float[] Numbers(int zeroPoint = 0);

    /// <summary>The code of the nearest number; half-way, the even code (of integers, the even number). Beyond the ends, the code of the end; for NaN, that of NaN or of the number nearest to 0.</summary>
    public abstract int Encode(float number, int zeroPoint = 0);

    /// <summary>The number of a code.</summary>
    public abstract float Decode(int code, int zeroPoint = 0);

    /// <summary>The nearest number. NaN stays NaN, so that it is not hidden.</summary>
    public float Round(float number, int zeroPoint = 0) => float.IsNaN(number) ? number : Decode(Encode(number, zeroPoint), zeroPoint);

    /// <summary>The two numbers between which a number lies: what rounding down and up may choose from.</summary>
    /// <exception cref="ArgumentException">It is NaN.</exception>
    public abstract Neighbours NeighboursOf(float number, int zeroPoint = 0);

    /// <summary>Derivatives of scale * Round(real / scale), the rounding itself passed straight through.</summary>
    /// <param name="number">real / scale.</param>
    /// <param name="zeroPoint">The code of 0.</param>
    /// <remarks>
    /// Esser et al., "Learned Step Size Quantization", 2020, arXiv:1902.08153, for any set of numbers. Inside is whatever the ends do not cut: for integers
    /// up to half a step beyond the last code, for other formats up to the last number, as the papers on them clip.
    /// </remarks>
    public StraightThroughSlopes SlopesAt(float number, int zeroPoint = 0)
    {
        float rounded = Round(number, zeroPoint);
        return IsInside(number, zeroPoint) ? new(1, rounded - number) : new(0, rounded);
    }

    /// <summary>Scale and zero point with which the numbers span a range. The range is widened to hold 0.</summary>
    /// <remarks>A range so small that its scale is not a normal float gets scale 1.</remarks>
    public virtual (float Scale, int ZeroPoint) Fit(ValueRange range, QuantizationScheme scheme)
    {
        ValueRange numbers = RangeOf();
        double above = numbers.Max > 0 ? Math.Max(0, range.Max) / (double)numbers.Max : 0;
        double below = numbers.Min < 0 ? Math.Min(0, range.Min) / (double)numbers.Min : 0;
        float scale = (float)Math.Max(above, below);
        return (float.IsNormal(scale) ? scale : 1, 0);
    }

    /// <summary>Codes of many numbers.</summary>
    public abstract void Quantize(ReadOnlySpan<float> values, Span<int> codes, float scale, int zeroPoint = 0);

    /// <summary>The real numbers of many codes.</summary>
    public virtual void Dequantize(ReadOnlySpan<int> codes, Span<float> values, float scale, int zeroPoint = 0)
    {
        for (int i = 0; i < codes.Length; i++) values[i] = Decode(codes[i], zeroPoint) * scale;
    }

    /// <summary>The real numbers that the codes of many numbers stand for. NaN stays NaN.</summary>
    public unsafe void FakeQuantize(ReadOnlySpan<float> values, Span<float> result, float scale, int zeroPoint = 0)
    {
        fixed (float* x = values, y = result[..values.Length]) FakeQuantize(x, y, 1, values.Length, [scale], [zeroPoint]);
    }

    /// <summary>Codes side by side, <see cref="BitWidth"/> bits each, the first in the lowest bits of the first byte: the form of ONNX where it has the type.</summary>
    public byte[] Pack(ReadOnlySpan<int> codes) => PackedCodes.Pack(codes, BitWidth);

    /// <summary>The codes of packed bytes.</summary>
    /// <exception cref="ArgumentException">There are too few bytes.</exception>
    public void Unpack(ReadOnlySpan<byte> packed, Span<int> codes) => PackedCodes.Unpack(packed, BitWidth, HasSignedCodes, codes);

    /// <summary>Compares the kind; each format adds what it is made of.</summary>
    public virtual bool Equals(NumberFormat? other) => other is not null && EqualityContract == other.EqualityContract;

    /// <inheritdoc/>
    public override int GetHashCode() => EqualityContract.GetHashCode();

    /// <summary>True where codes are two's complement.</summary>
    internal virtual bool HasSignedCodes => false;

    /// <summary>The same for rows that take scales and zero points in turns, on all cores.</summary>
    internal abstract unsafe void FakeQuantize(float* x, float* y, long rows, long inner, ReadOnlySpan<float> scales, ReadOnlySpan<int> zeroPoints);

    private protected abstract bool IsInside(float number, int zeroPoint);

    private protected static void CheckNumber(float number)
    {
        if (float.IsNaN(number)) throw new ArgumentException("NaN lies between no numbers", nameof(number));
    }
}

/// <summary>The numbers of a format around a number.</summary>
/// <param name="Below">The highest that is not above it; the lowest of all where it lies below that.</param>
/// <param name="Above">The next one after <paramref name="Below"/>; the same where the number lies at or beyond an end.</param>
public readonly record struct Neighbours(float Below, float Above)
{
    /// <summary>The local width of a code; 0 at an end.</summary>
    public float Step => Above - Below;

    /// <summary>Where a number lies between them, in [0, 1].</summary>
    public float FractionOf(float number) => Step > 0 ? Math.Clamp((number - Below) / Step, 0, 1) : 0;
}

/// <summary>Derivatives of a fake quantizer.</summary>
/// <param name="Input">By the real number: 1 inside, 0 where it is clamped.</param>
/// <param name="Scale">By the scale: rounded - number inside, the number of the end where it is clamped.</param>
public readonly record struct StraightThroughSlopes(float Input, float Scale);
