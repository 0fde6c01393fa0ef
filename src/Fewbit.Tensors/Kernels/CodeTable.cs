using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;
using Fewbit.Tensors.Threading;

namespace Fewbit.Tensors.Kernels;

/// <summary>A function of one 8-bit code as a table of 256 codes: QLinearSigmoid, QLinearLeakyRelu, QLinearConcat's requantization, ...</summary>
/// <remarks>As ONNX Runtime builds it: table[code] = quantize(f(scale_x * (code - zp_x))), the index being the code's bits.</remarks>
internal static unsafe class CodeTable
{
    /// <summary>Fills 256 codes.</summary>
    public static void Build(byte* table, float scaleX, int zeroPointX, float scaleY, int zeroPointY, bool isSigned, Func<float, float> function)
    {
        for (int i = 0; i < 256; i++)
        {
            int code = isSigned ? (sbyte)i : i;
            table[i] = Quantization.QuantizeReference(function(scaleX * (code - zeroPointX)), scaleY, zeroPointY, isSigned);
        }
    }

    /// <summary>y[i] = table[x[i]]; x and y may be the same.</summary>
    public static void Apply(byte* x, byte* y, long count, byte* table)
    {
        var job = new Job(x, y, count, table);
        Workers.Run(Quantization.Chunks(count), ref job);
    }

    private readonly struct Job(byte* x, byte* y, long count, byte* table) : IJob
    {
        public void Run(int chunk)
        {
            (long i, long end) = Quantization.Range(chunk, count);
            if (KernelPaths.Active >= KernelPath.Avx512 && Avx512Vbmi.IsSupported)
            {
                Vector512<byte> t0 = Vector512.Load(table), t1 = Vector512.Load(table + 64), t2 = Vector512.Load(table + 128), t3 = Vector512.Load(table + 192);
                for (; i + 64 <= end; i += 64)
                {
                    // Each look-up reads 128 entries by the low 7 bits; the top bit chooses.
                    Vector512<byte> code = Vector512.Load(x + i);
                    Vector512<byte> low = Avx512Vbmi.PermuteVar64x8x2(t0, code, t1), high = Avx512Vbmi.PermuteVar64x8x2(t2, code, t3);
                    Vector512.ConditionalSelect(Vector512.LessThan(code.AsSByte(), Vector512<sbyte>.Zero).AsByte(), high, low).Store(y + i);
                }
            }
            for (; i < end; i++) y[i] = table[x[i]];
        }
    }
}
