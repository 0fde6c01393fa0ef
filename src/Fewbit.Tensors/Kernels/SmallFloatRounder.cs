using System.Numerics;
using System.Runtime.CompilerServices;
using Fewbit.Tensors.Threading;

namespace Fewbit.Tensors.Kernels;

/// <summary>Numbers to the nearest number of a small float, or to its code: the arithmetic of <see cref="SmallFloat.Encode"/>, saturating, in vectors.</summary>
/// <remarks>
/// Adding and subtracting 2^(exponent + 23 - mantissa bits) rounds a float32 to that many mantissa bits, half to even. It needs numbers of the format
/// that are normal float32 and below 2^100.
/// </remarks>
internal static unsafe class SmallFloatRounder
{
    private const int FloatMantissa = 23, FloatBias = 127, ExponentMask = 0xFF << FloatMantissa;

    /// <summary>y = nearest(x / scale) * scale, one scale for each row of [rows, inner], in turns. NaN stays NaN.</summary>
    public static void Run(SmallFloat format, float* x, float* y, long rows, long inner, ReadOnlySpan<float> scales)
    {
        fixed (float* first = scales)
        {
            var job = new RowChunks<Kernel>(new(new(format), x, y, first), rows, inner, scales.Length);
            Workers.Run(job.Chunks, ref job);
        }
    }

    /// <summary>One number: nearest(x / scale) * scale.</summary>
    public static float Reference(SmallFloat format, float x, float scale) =>
        float.IsNaN(x / scale) ? float.NaN : format.Decode(format.Encode(x / scale)) * scale;

    /// <summary>The codes of x / scale.</summary>
    public static void Codes(SmallFloat format, ReadOnlySpan<float> x, Span<int> codes, float scale)
    {
        int i = 0;
        if (KernelPaths.Active != KernelPath.Scalar)
        {
            var constants = new Constants(format);
            for (; i <= x.Length - Vector<float>.Count; i += Vector<float>.Count) constants.Codes(new Vector<float>(x[i..]) / new Vector<float>(scale)).CopyTo(codes[i..]);
        }
        for (; i < x.Length; i++) codes[i] = format.Encode(x[i] / scale);
    }

    private readonly struct Kernel(Constants constants, float* x, float* y, float* scales) : IRowKernel
    {
        public void Run(long start, long count, int grid) => constants.Round(x + start, y + start, count, scales[grid]);

        public void Finish()
        {
        }
    }

    internal readonly struct Constants(SmallFloat format) : INumberRounder
    {
        private readonly int _shift = FloatMantissa - format.MantissaBits;
        private readonly float _highest = format.Decode(format.Largest), _leastNormal = MathF.ScaleB(1, 1 - format.Bias);
        private readonly float _stepsOfOne = MathF.ScaleB(1, format.Bias + format.MantissaBits - 1);

        public void Round(float* x, float* y, long count) => Round(x, y, count, 1);

        public void Round(float* x, float* y, long count, float scale)
        {
            long i = 0;
            if (KernelPaths.Active != KernelPath.Scalar)
            {
                Vector<float> scales = new(scale);
                for (; i + Vector<float>.Count <= count; i += Vector<float>.Count) (Round(Vector.Load(x + i) / scales) * scales).Store(y + i);
            }
            for (; i < count; i++) y[i] = Reference(format, x[i], scale);
        }

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public Vector<float> Round(Vector<float> number)
        {
            Vector<int> sign = number.As<float, int>() & new Vector<int>(int.MinValue);
            Vector<float> magnitude = Magnitude(number);
            if (!format.HasNegativeZero) sign = Vector.AndNot(sign, Vector.Equals(magnitude, Vector<float>.Zero));
            return (magnitude.As<float, int>() | sign).As<int, float>();
        }

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public Vector<int> Codes(Vector<float> number)
        {
            Vector<float> magnitude = Magnitude(number);
            Vector<int> normal = (magnitude.As<float, int>() >> _shift) - new Vector<int>((FloatBias - format.Bias) << format.MantissaBits);
            Vector<int> subnormal = Vector.ConvertToInt32(magnitude * _stepsOfOne);
            Vector<int> codes = Vector.ConditionalSelect(Vector.LessThan(magnitude, new Vector<float>(_leastNormal)), subnormal, normal);
            Vector<int> isNegative = number.As<float, int>() >> 31, isNumber = Vector.Equals(number, number);
            codes = Vector.ConditionalSelect(isNumber, codes, new Vector<int>(format.NotANumber));
            if (!format.HasNegativeZero) isNegative = Vector.AndNot(isNegative, Vector.Equals(codes, Vector<int>.Zero));
            return codes | (isNegative & new Vector<int>(format.Sign));
        }

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        private Vector<float> Magnitude(Vector<float> number)
        {
            Vector<float> magnitude = Vector.Abs(number), highest = new(_highest);
            magnitude = Vector.ConditionalSelect(Vector.GreaterThan(magnitude, highest), highest, magnitude);
            Vector<int> exponent = Vector.Max(magnitude.As<float, int>() & new Vector<int>(ExponentMask), new Vector<int>((FloatBias + 1 - format.Bias) << FloatMantissa));
            Vector<float> rounder = (exponent + new Vector<int>(_shift << FloatMantissa)).As<int, float>();
            return magnitude + rounder - rounder;
        }
    }
}
