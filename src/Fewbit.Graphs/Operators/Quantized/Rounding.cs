using System.Runtime.CompilerServices;

namespace Fewbit.Graphs.Operators.Quantized;

/// <summary>The arithmetic that all quantized operators end in, as ONNX Runtime's CPU kernels do it.</summary>
internal static class Rounding
{
    /// <summary>
    /// clamp(value, min - zeroPoint, max - zeroPoint) in float, rounded half to even, plus the zero point.
    /// NaN gives the lowest code: the vector maximum returns its second operand.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static int ToCode(float value, int zeroPoint, int min, int max)
    {
        float low = min - zeroPoint, high = max - zeroPoint;
        float clamped = value > low ? value : low;
        clamped = clamped < high ? clamped : high;
        return (int)MathF.Round(clamped) + zeroPoint;
    }

    /// <summary>An accumulator of a convolution or product as a code: converted to float, scaled, then rounded as above.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static int Requantize(int accumulator, float scale, int zeroPoint, int min, int max) => ToCode(accumulator * scale, zeroPoint, min, max);

    /// <summary>A float as a code that was rounded before: converted with saturation to 16 bits and then to the code's 8 bits.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static int Pack(float value, int min, int max) => (int)Math.Clamp(MathF.Round(value), min, max);
}
