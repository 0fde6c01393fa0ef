using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace Fewbit.Tensors.Kernels;

/// <summary>What an 8-bit product is written as.</summary>
internal enum Int8Output : byte
{
    /// <summary>The int32 sum plus bias.</summary>
    Int32,

    /// <summary>Codes 0 to 255.</summary>
    UInt8,

    /// <summary>Codes -128 to 127.</summary>
    Int8,

    /// <summary>float(sum + bias) * scale.</summary>
    Float,
}

/// <summary>The end of an 8-bit product: code = round_half_even(clamp(float(sum + bias) * scale, Min - zp, Max - zp)) + zp, in float32.</summary>
/// <remarks>
/// Order and types are those of MlasRequantizeOutput (ONNX Runtime, core/mlas/lib/quantize.cpp), so that codes are equal bit for bit. A NaN becomes the lowest code.
/// scale = Sx * Sw / Sy, computed in float32 from left to right, as that runtime does.
/// </remarks>
internal unsafe struct Requantization
{
    public Int8Output Output;

    /// <summary>int32 bias per output channel, scale Sx * Sw; null for none.</summary>
    public int* Bias;

    /// <summary>One scale, or one per output channel; unused for <see cref="Int8Output.Int32"/>.</summary>
    public float* Scales;

    public bool IsPerChannel;

    /// <summary>Zero point of the output codes.</summary>
    public int ZeroPoint;

    public readonly int ElementBytes => Output is Int8Output.Int32 or Int8Output.Float ? 4 : 1;
}

/// <summary>Writes runs of int32 sums as a <see cref="Requantization"/> says.</summary>
internal readonly unsafe struct Requantizer(in Requantization target)
{
    private readonly Int8Output _output = target.Output;
    private readonly float* _scales = target.Scales;
    private readonly bool _isPerChannel = target.IsPerChannel;
    private readonly int _zeroPoint = target.ZeroPoint;
    private readonly float _low = (target.Output == Int8Output.Int8 ? -128 : 0) - target.ZeroPoint, _high = (target.Output == Int8Output.Int8 ? 127 : 255) - target.ZeroPoint;

    /// <summary>A run of one channel (a row of a convolution's result).</summary>
    public void Row(int* sums, int count, int offset, int channel, void* to)
    {
        switch (_output)
        {
            case Int8Output.Int32:
                for (int i = 0; i < count; i++) ((int*)to)[i] = sums[i] + offset;
                break;
            case Int8Output.Float:
                float factor = _scales[_isPerChannel ? channel : 0];
                for (int i = 0; i < count; i++) ((float*)to)[i] = (float)(sums[i] + offset) * factor;
                break;
            default:
                Codes(sums, count, offset, null, _scales[_isPerChannel ? channel : 0], null, (byte*)to);
                break;
        }
    }

    /// <summary>A run over channels (a row of a matrix product).</summary>
    public void Column(int* sums, int count, int* offsets, int channel, void* to)
    {
        switch (_output)
        {
            case Int8Output.Int32:
                for (int i = 0; i < count; i++) ((int*)to)[i] = sums[i] + offsets[i];
                break;
            case Int8Output.Float:
                for (int i = 0; i < count; i++) ((float*)to)[i] = (float)(sums[i] + offsets[i]) * _scales[_isPerChannel ? channel + i : 0];
                break;
            default:
                Codes(sums, count, 0, offsets, _scales[0], _isPerChannel ? _scales + channel : null, (byte*)to);
                break;
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void Codes(int* sums, int count, int offset, int* offsets, float scale, float* scales, byte* to)
    {
        int i = 0;
        if (KernelPaths.Active >= KernelPath.Avx512)
        {
            for (; i + 16 <= count; i += 16)
            {
                Vector512<int> sum = Vector512.Load(sums + i) + (offsets == null ? Vector512.Create(offset) : Vector512.Load(offsets + i));
                Vector512<float> x = Avx512F.ConvertToVector512Single(sum) * (scales == null ? Vector512.Create(scale) : Vector512.Load(scales + i));
                x = Avx512F.Min(Avx512F.Max(x, Vector512.Create(_low)), Vector512.Create(_high));
                CodeVectors.Store(Avx512F.ConvertToVector512Int32(x) + Vector512.Create(_zeroPoint), to + i);
            }
        }
        else if (KernelPaths.Active != KernelPath.Scalar)
        {
            for (; i + 8 <= count; i += 8)
            {
                Vector256<int> sum = Vector256.Load(sums + i) + (offsets == null ? Vector256.Create(offset) : Vector256.Load(offsets + i));
                Vector256<float> x = Vector256.ConvertToSingle(sum) * (scales == null ? Vector256.Create(scale) : Vector256.Load(scales + i));
                CodeVectors.Store(Round(x) + Vector256.Create(_zeroPoint), to + i);
            }
        }
        for (; i < count; i++) to[i] = Code(sums[i] + (offsets == null ? offset : offsets[i]), scales == null ? scale : scales[i]);
    }

    private byte Code(int sum, float scale)
    {
        float x = (float)sum * scale;
        x = x > _low ? x : _low;
        x = x < _high ? x : _high;
        return (byte)((int)MathF.Round(x) + _zeroPoint);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private Vector256<int> Round(Vector256<float> x)
    {
        Vector256<float> low = Vector256.Create(_low), high = Vector256.Create(_high);
        x = Vector256.ConditionalSelect(Vector256.GreaterThan(x, low), x, low);
        x = Vector256.ConditionalSelect(Vector256.LessThan(x, high), x, high);
        return CodeVectors.Round(x);
    }
}
