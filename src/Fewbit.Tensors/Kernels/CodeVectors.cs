using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace Fewbit.Tensors.Kernels;

/// <summary>8-bit codes to and from 32-bit lanes: 16 at a time with AVX-512, 8 otherwise.</summary>
internal static unsafe class CodeVectors
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<int> Load16(byte* from, bool isSigned) => isSigned
        ? Avx512F.ConvertToVector512Int32(Vector128.Load((sbyte*)from))
        : Avx512F.ConvertToVector512Int32(Vector128.Load(from));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<int> Load8(byte* from, bool isSigned)
    {
        if (isSigned)
        {
            Vector128<short> words = Vector128.WidenLower(Vector128.CreateScalarUnsafe(*(long*)from).AsSByte());
            return Vector256.Create(Vector128.WidenLower(words), Vector128.WidenUpper(words));
        }
        Vector128<ushort> unsigned = Vector128.WidenLower(Vector128.CreateScalarUnsafe(*(long*)from).AsByte());
        return Vector256.Create(Vector128.WidenLower(unsigned), Vector128.WidenUpper(unsigned)).AsInt32();
    }

    /// <summary>Stores the low byte of each lane.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Store(Vector512<int> codes, byte* to) => Avx512F.ConvertToVector128Byte(codes).Store(to);

    /// <summary>Stores the low byte of each lane.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Store(Vector256<int> codes, byte* to)
    {
        Vector128<short> words = Vector128.Narrow(codes.GetLower(), codes.GetUpper());
        *(long*)to = Vector128.Narrow(words, words).AsInt64().ToScalar();
    }

    /// <summary>Half to even; out of range gives an arbitrary int, as cvtps2dq does on x64.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<int> Round(Vector256<float> x) => Avx.IsSupported ? Avx.ConvertToVector256Int32(x) : Vector256.ConvertToInt32(Vector256.Round(x));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static int Round(float x) => Sse.IsSupported ? Sse.ConvertToInt32(Vector128.CreateScalarUnsafe(x)) : (int)MathF.Round(x);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static int Load(byte* from, bool isSigned) => isSigned ? (sbyte)*from : *from;
}
