using System.Numerics;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;
using Fewbit.Tensors.Threading;

namespace Fewbit.Tensors.Kernels;

/// <summary>Float to codes and back, 8 bits, one scale and zero point for the run (a caller loops over channels).</summary>
/// <remarks>
/// Quantize: round_half_even(clamp(x / scale, Min - zp, Max - zp)) + zp, a true division in float32 (MlasQuantizeLinear of ONNX Runtime on x64); NaN becomes the lowest code.
/// Dequantize: float(code - zp) * scale.
/// </remarks>
internal static unsafe class Quantization
{
    private const int ChunkElements = 1 << 15;

    public static void Quantize(float* x, byte* codes, long count, float scale, int zeroPoint, bool isSigned)
    {
        var job = new QuantizeJob(x, codes, count, scale, zeroPoint, isSigned);
        Workers.Run(Chunks(count), ref job);
    }

    public static void Dequantize(byte* codes, float* x, long count, float scale, int zeroPoint, bool isSigned)
    {
        var job = new DequantizeJob(codes, x, count, scale, zeroPoint, isSigned);
        Workers.Run(Chunks(count), ref job);
    }

    /// <summary>One element, by the same formula.</summary>
    public static byte QuantizeReference(float x, float scale, int zeroPoint, bool isSigned)
    {
        float low = (isSigned ? -128 : 0) - zeroPoint, high = (isSigned ? 127 : 255) - zeroPoint;
        x /= scale;
        x = x > low ? x : low;
        x = x < high ? x : high;
        return (byte)((int)MathF.Round(x) + zeroPoint);
    }

    internal static int Chunks(long count) => (int)((count + ChunkElements - 1) / ChunkElements);

    internal static (long Start, long End) Range(int chunk, long count) => ((long)chunk * ChunkElements, Math.Min(count, (chunk + 1L) * ChunkElements));

    private readonly struct QuantizeJob(float* x, byte* codes, long count, float scale, int zeroPoint, bool isSigned) : IJob
    {
        public void Run(int chunk)
        {
            (long i, long end) = Range(chunk, count);
            float low = (isSigned ? -128 : 0) - zeroPoint, high = (isSigned ? 127 : 255) - zeroPoint;
            if (KernelPaths.Active >= KernelPath.Avx512)
            {
                for (; i + 16 <= end; i += 16)
                {
                    Vector512<float> v = Vector512.Load(x + i) / Vector512.Create(scale);
                    v = Avx512F.Min(Avx512F.Max(v, Vector512.Create(low)), Vector512.Create(high));
                    CodeVectors.Store(Avx512F.ConvertToVector512Int32(v) + Vector512.Create(zeroPoint), codes + i);
                }
            }
            else if (KernelPaths.Active != KernelPath.Scalar)
            {
                for (; i + 8 <= end; i += 8)
                {
                    Vector256<float> v = Vector256.Load(x + i) / Vector256.Create(scale), lowest = Vector256.Create(low), highest = Vector256.Create(high);
                    v = Vector256.ConditionalSelect(Vector256.GreaterThan(v, lowest), v, lowest);
                    v = Vector256.ConditionalSelect(Vector256.LessThan(v, highest), v, highest);
                    CodeVectors.Store(CodeVectors.Round(v) + Vector256.Create(zeroPoint), codes + i);
                }
            }
            for (; i < end; i++) codes[i] = QuantizeReference(x[i], scale, zeroPoint, isSigned);
        }
    }

    private readonly struct DequantizeJob(byte* codes, float* x, long count, float scale, int zeroPoint, bool isSigned) : IJob
    {
        public void Run(int chunk)
        {
            (long i, long end) = Range(chunk, count);
            if (KernelPaths.Active >= KernelPath.Avx512)
            {
                for (; i + 16 <= end; i += 16)
                    (Avx512F.ConvertToVector512Single(CodeVectors.Load16(codes + i, isSigned) - Vector512.Create(zeroPoint)) * Vector512.Create(scale)).Store(x + i);
            }
            else if (KernelPaths.Active != KernelPath.Scalar)
            {
                for (; i + 8 <= end; i += 8)
                    (Vector256.ConvertToSingle(CodeVectors.Load8(codes + i, isSigned) - Vector256.Create(zeroPoint)) * Vector256.Create(scale)).Store(x + i);
            }
            for (; i < end; i++) x[i] = (float)(CodeVectors.Load(codes + i, isSigned) - zeroPoint) * scale;
        }
    }
}
