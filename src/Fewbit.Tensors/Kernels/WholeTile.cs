using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace Fewbit.Tensors.Kernels;

/// <summary>The inner loop for tiles of all rows and columns of packed panels: the sums go from the registers to their place.</summary>
internal static unsafe class WholeTile
{
    /// <summary>12 rows, 32 columns. With each step <paramref name="nextStep"/> floats from <paramref name="next"/> on come nearer: the panel that later tiles read.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    internal static void Avx512(int k, float* a, float* b, float* c, int stride, bool adds, float* next, int nextStep)
    {
        Vector512<float> c00 = default, c01 = default, c10 = default, c11 = default, c20 = default, c21 = default;
        Vector512<float> c30 = default, c31 = default, c40 = default, c41 = default, c50 = default, c51 = default;
        Vector512<float> c60 = default, c61 = default, c70 = default, c71 = default, c80 = default, c81 = default;
        Vector512<float> c90 = default, c91 = default, ca0 = default, ca1 = default, cb0 = default, cb1 = default;
        for (float* end = a + 12 * k; a < end; a += 12, b += 32, next += nextStep)
        {
            Sse.Prefetch1(next);
            Vector512<float> b0 = Vector512.Load(b), b1 = Vector512.Load(b + 16);
            var x = Vector512.Create(a[0]);
            c00 = Avx512F.FusedMultiplyAdd(x, b0, c00);
            c01 = Avx512F.FusedMultiplyAdd(x, b1, c01);
            x = Vector512.Create(a[1]);
            c10 = Avx512F.FusedMultiplyAdd(x, b0, c10);
            c11 = Avx512F.FusedMultiplyAdd(x, b1, c11);
            x = Vector512.Create(a[2]);
            c20 = Avx512F.FusedMultiplyAdd(x, b0, c20);
            c21 = Avx512F.FusedMultiplyAdd(x, b1, c21);
            x = Vector512.Create(a[3]);
            c30 = Avx512F.FusedMultiplyAdd(x, b0, c30);
            c31 = Avx512F.FusedMultiplyAdd(x, b1, c31);
            x = Vector512.Create(a[4]);
            c40 = Avx512F.FusedMultiplyAdd(x, b0, c40);
            c41 = Avx512F.FusedMultiplyAdd(x, b1, c41);
            x = Vector512.Create(a[5]);
            c50 = Avx512F.FusedMultiplyAdd(x, b0, c50);
            c51 = Avx512F.FusedMultiplyAdd(x, b1, c51);
            x = Vector512.Create(a[6]);
            c60 = Avx512F.FusedMultiplyAdd(x, b0, c60);
            c61 = Avx512F.FusedMultiplyAdd(x, b1, c61);
            x = Vector512.Create(a[7]);
            c70 = Avx512F.FusedMultiplyAdd(x, b0, c70);
            c71 = Avx512F.FusedMultiplyAdd(x, b1, c71);
            x = Vector512.Create(a[8]);
            c80 = Avx512F.FusedMultiplyAdd(x, b0, c80);
            c81 = Avx512F.FusedMultiplyAdd(x, b1, c81);
            x = Vector512.Create(a[9]);
            c90 = Avx512F.FusedMultiplyAdd(x, b0, c90);
            c91 = Avx512F.FusedMultiplyAdd(x, b1, c91);
            x = Vector512.Create(a[10]);
            ca0 = Avx512F.FusedMultiplyAdd(x, b0, ca0);
            ca1 = Avx512F.FusedMultiplyAdd(x, b1, ca1);
            x = Vector512.Create(a[11]);
            cb0 = Avx512F.FusedMultiplyAdd(x, b0, cb0);
            cb1 = Avx512F.FusedMultiplyAdd(x, b1, cb1);
        }
        // What the result holds is added last: it has had the length of the loop to arrive in the cache.
        if (adds)
        {
            Add(c, c00, c01);
            c += stride;
            Add(c, c10, c11);
            c += stride;
            Add(c, c20, c21);
            c += stride;
            Add(c, c30, c31);
            c += stride;
            Add(c, c40, c41);
            c += stride;
            Add(c, c50, c51);
            c += stride;
            Add(c, c60, c61);
            c += stride;
            Add(c, c70, c71);
            c += stride;
            Add(c, c80, c81);
            c += stride;
            Add(c, c90, c91);
            c += stride;
            Add(c, ca0, ca1);
            c += stride;
            Add(c, cb0, cb1);
        }
        else
        {
            Store(c, c00, c01);
            c += stride;
            Store(c, c10, c11);
            c += stride;
            Store(c, c20, c21);
            c += stride;
            Store(c, c30, c31);
            c += stride;
            Store(c, c40, c41);
            c += stride;
            Store(c, c50, c51);
            c += stride;
            Store(c, c60, c61);
            c += stride;
            Store(c, c70, c71);
            c += stride;
            Store(c, c80, c81);
            c += stride;
            Store(c, c90, c91);
            c += stride;
            Store(c, ca0, ca1);
            c += stride;
            Store(c, cb0, cb1);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Add(float* c, Vector512<float> left, Vector512<float> right)
    {
        (Vector512.Load(c) + left).Store(c);
        (Vector512.Load(c + 16) + right).Store(c + 16);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Store(float* c, Vector512<float> left, Vector512<float> right)
    {
        left.Store(c);
        right.Store(c + 16);
    }
}
