using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;
using Fewbit.Tensors.Emission;

namespace Fewbit.Tensors.Kernels;

/// <summary>The inner loop of an 8-bit matrix product. Panels hold words of 4 bytes along the inner dimension; one side is signed (weights), the other unsigned (activations).</summary>
/// <remarks>tile[r, c] = sum over words p and bytes j of a[p, r, j] * b[p, c, j], exact in int32 on every path: no 16-bit sum saturates.</remarks>
internal readonly unsafe struct Int8Kernel(KernelPath path, int rows, int columns, delegate*<int, byte*, byte*, int*, int, void> signedLeft, delegate*<int, byte*, byte*, int*, int, void> signedRight)
{
    public readonly KernelPath Path = path;
    public readonly int Rows = rows;
    public readonly int Columns = columns;

    /// <summary>(words, a, b, tile, rows) with signed bytes in a: a convolution, whose weights are the rows.</summary>
    public readonly delegate*<int, byte*, byte*, int*, int, void> SignedLeft = signedLeft;

    /// <summary>(words, a, b, tile, rows) with signed bytes in b: a matrix product, whose weights are the columns.</summary>
    public readonly delegate*<int, byte*, byte*, int*, int, void> SignedRight = signedRight;

    public static Int8Kernel Active => For(KernelPaths.Active);

    public static Int8Kernel For(KernelPath path) => path switch
    {
        KernelPath.Emitted => new(path, EmittedKernels.MaxRows, EmittedKernels.Columns, &Int8Kernels.EmittedLeft, &Int8Kernels.EmittedRight),
        KernelPath.Avx512 => new(path, 12, 32, &Int8Kernels.Wide512<SignedLeft>, &Int8Kernels.Wide512<SignedRight>),
        KernelPath.Avx2 when AvxVnni.IsSupported => new(path, 6, 16, &Int8Kernels.Vnni256<SignedLeft>, &Int8Kernels.Vnni256<SignedRight>),
        KernelPath.Avx2 => new(path, 6, 16, &Int8Kernels.Wide256<SignedLeft>, &Int8Kernels.Wide256<SignedRight>),
        KernelPath.Portable => new(path, 4, 2 * Vector<int>.Count, &Int8Kernels.Portable<SignedLeft>, &Int8Kernels.Portable<SignedRight>),
        _ => new(path, 4, 4, &Int8Kernels.Scalar<SignedLeft>, &Int8Kernels.Scalar<SignedRight>),
    };
}

/// <summary>Which panel holds the signed bytes; a type, so that each kernel is compiled for its order.</summary>
internal interface ISignOrder
{
    static abstract bool LeftIsSigned { get; }
}

internal readonly struct SignedLeft : ISignOrder
{
    public static bool LeftIsSigned => true;
}

internal readonly struct SignedRight : ISignOrder
{
    public static bool LeftIsSigned => false;
}

internal static unsafe class Int8Kernels
{
    private static class Emitted
    {
        public static readonly EmittedInt8[] Left = EmittedKernels.ByRows(leftIsSigned: true), Right = EmittedKernels.ByRows(leftIsSigned: false);
    }

    internal static void EmittedLeft(int words, byte* a, byte* b, int* tile, int rows) => Emitted.Left[rows].Call(words, a, b, tile);

    internal static void EmittedRight(int words, byte* a, byte* b, int* tile, int rows) => Emitted.Right[rows].Call(words, a, b, tile);

    internal static void Scalar<TOrder>(int words, byte* a, byte* b, int* tile, int rows) where TOrder : ISignOrder
    {
        for (int r = 0; r < rows; r++)
        {
            for (int c = 0; c < 4; c++)
            {
                int sum = 0;
                for (int p = 0; p < words; p++)
                {
                    byte* x = a + 4 * (p * 4 + r), y = b + 4 * (p * 4 + c);
                    for (int j = 0; j < 4; j++) sum += TOrder.LeftIsSigned ? (sbyte)x[j] * y[j] : x[j] * (sbyte)y[j];
                }
                tile[r * 4 + c] = sum;
            }
        }
    }

    /// <summary>Each byte of a word becomes an int by shifts.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    internal static void Portable<TOrder>(int words, byte* a, byte* b, int* tile, int rows) where TOrder : ISignOrder
    {
        int width = Vector<int>.Count;
        for (int r = 0; r < rows; r += 2)
        {
            Vector<int> c00 = default, c01 = default, c10 = default, c11 = default;
            int* x = (int*)a + r, y = (int*)b;
            for (int p = 0; p < words; p++, x += 4, y += 2 * width)
            {
                Vector<int> b0 = *(Vector<int>*)y, b1 = *(Vector<int>*)(y + width);
                for (int shift = 24; shift >= 0; shift -= 8)
                {
                    Vector<int> y0 = TOrder.LeftIsSigned ? Vector.ShiftRightLogical(Vector.ShiftLeft(b0, shift), 24) : Vector.ShiftRightArithmetic(Vector.ShiftLeft(b0, shift), 24);
                    Vector<int> y1 = TOrder.LeftIsSigned ? Vector.ShiftRightLogical(Vector.ShiftLeft(b1, shift), 24) : Vector.ShiftRightArithmetic(Vector.ShiftLeft(b1, shift), 24);
                    int x0 = x[0] << shift, x1 = x[1] << shift;
                    var v0 = new Vector<int>(TOrder.LeftIsSigned ? x0 >> 24 : x0 >>> 24);
                    var v1 = new Vector<int>(TOrder.LeftIsSigned ? x1 >> 24 : x1 >>> 24);
                    c00 += v0 * y0;
                    c01 += v0 * y1;
                    c10 += v1 * y0;
                    c11 += v1 * y1;
                }
            }
            var t = (Vector<int>*)(tile + r * 2 * width);
            (t[0], t[1], t[2], t[3]) = (c00, c01, c10, c11);
        }
    }

    /// <summary>AVX-VNNI: the instruction itself, 256 bits.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    internal static void Vnni256<TOrder>(int words, byte* a, byte* b, int* tile, int rows) where TOrder : ISignOrder
    {
        for (int r = 0; r < rows; r += 3)
        {
            Vector256<int> c00 = default, c01 = default, c10 = default, c11 = default, c20 = default, c21 = default;
            int* x = (int*)a + r, y = (int*)b;
            for (int p = 0; p < words; p++, x += 6, y += 16)
            {
                Vector256<int> b0 = Vector256.Load(y), b1 = Vector256.Load(y + 8);
                Vector256<int> x0 = Vector256.Create(x[0]), x1 = Vector256.Create(x[1]), x2 = Vector256.Create(x[2]);
                c00 = DotAdd<TOrder>(c00, x0, b0);
                c01 = DotAdd<TOrder>(c01, x0, b1);
                c10 = DotAdd<TOrder>(c10, x1, b0);
                c11 = DotAdd<TOrder>(c11, x1, b1);
                c20 = DotAdd<TOrder>(c20, x2, b0);
                c21 = DotAdd<TOrder>(c21, x2, b1);
            }
            var t = (Vector256<int>*)(tile + r * 16);
            (t[0], t[1], t[2], t[3], t[4], t[5]) = (c00, c01, c10, c11, c20, c21);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<int> DotAdd<TOrder>(Vector256<int> sum, Vector256<int> x, Vector256<int> y) where TOrder : ISignOrder => TOrder.LeftIsSigned
        ? AvxVnni.MultiplyWideningAndAdd(sum, y.AsByte(), x.AsSByte())
        : AvxVnni.MultiplyWideningAndAdd(sum, x.AsByte(), y.AsSByte());

    /// <summary>AVX2: even and odd bytes widened to 16 bits, vpmaddwd on each.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    internal static void Wide256<TOrder>(int words, byte* a, byte* b, int* tile, int rows) where TOrder : ISignOrder
    {
        for (int r = 0; r < rows; r += 3)
        {
            Vector256<int> c00 = default, c01 = default, c10 = default, c11 = default, c20 = default, c21 = default;
            int* x = (int*)a + r, y = (int*)b;
            for (int p = 0; p < words; p++, x += 6, y += 16)
            {
                Vector256<short> b0 = Vector256.Load(y).AsInt16(), b1 = Vector256.Load(y + 8).AsInt16();
                Vector256<short> b0Even = Even(b0, !TOrder.LeftIsSigned), b0Odd = Odd(b0, !TOrder.LeftIsSigned);
                Vector256<short> b1Even = Even(b1, !TOrder.LeftIsSigned), b1Odd = Odd(b1, !TOrder.LeftIsSigned);
                Vector256<short> even = Even(Vector256.Create(x[0]).AsInt16(), TOrder.LeftIsSigned), odd = Odd(Vector256.Create(x[0]).AsInt16(), TOrder.LeftIsSigned);
                c00 += Avx2.MultiplyAddAdjacent(even, b0Even) + Avx2.MultiplyAddAdjacent(odd, b0Odd);
                c01 += Avx2.MultiplyAddAdjacent(even, b1Even) + Avx2.MultiplyAddAdjacent(odd, b1Odd);
                (even, odd) = (Even(Vector256.Create(x[1]).AsInt16(), TOrder.LeftIsSigned), Odd(Vector256.Create(x[1]).AsInt16(), TOrder.LeftIsSigned));
                c10 += Avx2.MultiplyAddAdjacent(even, b0Even) + Avx2.MultiplyAddAdjacent(odd, b0Odd);
                c11 += Avx2.MultiplyAddAdjacent(even, b1Even) + Avx2.MultiplyAddAdjacent(odd, b1Odd);
                (even, odd) = (Even(Vector256.Create(x[2]).AsInt16(), TOrder.LeftIsSigned), Odd(Vector256.Create(x[2]).AsInt16(), TOrder.LeftIsSigned));
                c20 += Avx2.MultiplyAddAdjacent(even, b0Even) + Avx2.MultiplyAddAdjacent(odd, b0Odd);
                c21 += Avx2.MultiplyAddAdjacent(even, b1Even) + Avx2.MultiplyAddAdjacent(odd, b1Odd);
            }
            var t = (Vector256<int>*)(tile + r * 16);
            (t[0], t[1], t[2], t[3], t[4], t[5]) = (c00, c01, c10, c11, c20, c21);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<short> Even(Vector256<short> x, bool isSigned) =>
        isSigned ? Avx2.ShiftRightArithmetic(Avx2.ShiftLeftLogical(x, 8), 8) : x & Vector256.Create((short)0xFF);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<short> Odd(Vector256<short> x, bool isSigned) => isSigned ? Avx2.ShiftRightArithmetic(x, 8) : Avx2.ShiftRightLogical(x, 8);

    /// <summary>AVX-512 without VNNI: as <see cref="Wide256{TOrder}"/>, four rows at a time.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    internal static void Wide512<TOrder>(int words, byte* a, byte* b, int* tile, int rows) where TOrder : ISignOrder
    {
        for (int r = 0; r < rows; r += 4)
        {
            Vector512<int> c00 = default, c01 = default, c10 = default, c11 = default, c20 = default, c21 = default, c30 = default, c31 = default;
            int* x = (int*)a + r, y = (int*)b;
            for (int p = 0; p < words; p++, x += 12, y += 32)
            {
                Vector512<short> b0 = Vector512.Load(y).AsInt16(), b1 = Vector512.Load(y + 16).AsInt16();
                Vector512<short> b0Even = Even(b0, !TOrder.LeftIsSigned), b0Odd = Odd(b0, !TOrder.LeftIsSigned);
                Vector512<short> b1Even = Even(b1, !TOrder.LeftIsSigned), b1Odd = Odd(b1, !TOrder.LeftIsSigned);
                Vector512<short> even = Even(Vector512.Create(x[0]).AsInt16(), TOrder.LeftIsSigned), odd = Odd(Vector512.Create(x[0]).AsInt16(), TOrder.LeftIsSigned);
                c00 += Avx512BW.MultiplyAddAdjacent(even, b0Even) + Avx512BW.MultiplyAddAdjacent(odd, b0Odd);
                c01 += Avx512BW.MultiplyAddAdjacent(even, b1Even) + Avx512BW.MultiplyAddAdjacent(odd, b1Odd);
                (even, odd) = (Even(Vector512.Create(x[1]).AsInt16(), TOrder.LeftIsSigned), Odd(Vector512.Create(x[1]).AsInt16(), TOrder.LeftIsSigned));
                c10 += Avx512BW.MultiplyAddAdjacent(even, b0Even) + Avx512BW.MultiplyAddAdjacent(odd, b0Odd);
                c11 += Avx512BW.MultiplyAddAdjacent(even, b1Even) + Avx512BW.MultiplyAddAdjacent(odd, b1Odd);
                (even, odd) = (Even(Vector512.Create(x[2]).AsInt16(), TOrder.LeftIsSigned), Odd(Vector512.Create(x[2]).AsInt16(), TOrder.LeftIsSigned));
                c20 += Avx512BW.MultiplyAddAdjacent(even, b0Even) + Avx512BW.MultiplyAddAdjacent(odd, b0Odd);
                c21 += Avx512BW.MultiplyAddAdjacent(even, b1Even) + Avx512BW.MultiplyAddAdjacent(odd, b1Odd);
                (even, odd) = (Even(Vector512.Create(x[3]).AsInt16(), TOrder.LeftIsSigned), Odd(Vector512.Create(x[3]).AsInt16(), TOrder.LeftIsSigned));
                c30 += Avx512BW.MultiplyAddAdjacent(even, b0Even) + Avx512BW.MultiplyAddAdjacent(odd, b0Odd);
                c31 += Avx512BW.MultiplyAddAdjacent(even, b1Even) + Avx512BW.MultiplyAddAdjacent(odd, b1Odd);
            }
            var t = (Vector512<int>*)(tile + r * 32);
            (t[0], t[1], t[2], t[3], t[4], t[5], t[6], t[7]) = (c00, c01, c10, c11, c20, c21, c30, c31);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<short> Even(Vector512<short> x, bool isSigned) =>
        isSigned ? Avx512BW.ShiftRightArithmetic(Avx512BW.ShiftLeftLogical(x, 8), 8) : x & Vector512.Create((short)0xFF);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<short> Odd(Vector512<short> x, bool isSigned) => isSigned ? Avx512BW.ShiftRightArithmetic(x, 8) : Avx512BW.ShiftRightLogical(x, 8);
}
