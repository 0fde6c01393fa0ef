using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Fewbit.Tensors.Kernels;

/// <summary>The three transforms of Winograd F(4,3), each applied to rows, then to columns; 16 tiles at a time.</summary>
internal static unsafe class WinogradTransforms
{
    private static readonly double[][] Kernel = [[1 / 4.0, 0, 0], [-1 / 6.0, -1 / 6.0, -1 / 6.0], [-1 / 6.0, 1 / 6.0, -1 / 6.0], [1 / 24.0, 1 / 12.0, 1 / 6.0], [1 / 24.0, -1 / 12.0, 1 / 6.0], [0, 0, 1]];

    /// <summary>One of the 36 values of a 3x3 kernel.</summary>
    public static float Weight(float* kernel, int point)
    {
        double sum = 0;
        for (int tap = 0; tap < 9; tap++) sum += Kernel[point / 6][tap / 3] * kernel[tap] * Kernel[point % 6][tap % 3];
        return (float)sum;
    }

    /// <summary>36 inputs at from + offsets to 36 values, <paramref name="step"/> floats apart.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Input(float* from, int* offsets, float* to, int step)
    {
        Vector512<float>* t = stackalloc Vector512<float>[36];
        Vector512<float>* row = stackalloc Vector512<float>[6];
        for (int j = 0; j < 6; j++)
        {
            Input(Vector512.Load(from + offsets[j]), Vector512.Load(from + offsets[6 + j]), Vector512.Load(from + offsets[12 + j]), Vector512.Load(from + offsets[18 + j]), Vector512.Load(from + offsets[24 + j]), Vector512.Load(from + offsets[30 + j]), t + j, 6);
        }
        for (int i = 0; i < 6; i++)
        {
            Input(t[6 * i], t[6 * i + 1], t[6 * i + 2], t[6 * i + 3], t[6 * i + 4], t[6 * i + 5], row, 1);
            for (int j = 0; j < 6; j++) row[j].Store(to + (long)(6 * i + j) * step);
        }
    }

    /// <summary>36 products, <paramref name="step"/> floats apart, to 16 outputs of 16 tiles each.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Output(float* from, int step, float* to)
    {
        Vector512<float>* t = stackalloc Vector512<float>[24];
        Vector512<float>* row = stackalloc Vector512<float>[4];
        for (int j = 0; j < 6; j++)
        {
            float* at = from + j * step;
            Output(Vector512.Load(at), Vector512.Load(at + 6 * step), Vector512.Load(at + 12 * step), Vector512.Load(at + 18 * step), Vector512.Load(at + 24 * step), Vector512.Load(at + 30 * step), t + j, 6);
        }
        for (int i = 0; i < 4; i++)
        {
            Output(t[6 * i], t[6 * i + 1], t[6 * i + 2], t[6 * i + 3], t[6 * i + 4], t[6 * i + 5], row, 1);
            for (int j = 0; j < 4; j++) row[j].Store(to + (4 * i + j) * 16);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Input(Vector512<float> a, Vector512<float> b, Vector512<float> c, Vector512<float> d, Vector512<float> e, Vector512<float> f, Vector512<float>* to, int step)
    {
        Vector512<float> even = e - 4 * c, odd = d - 4 * b, evenSmall = e - c, oddSmall = 2 * (d - b);
        to[0] = 4 * a - 5 * c + e;
        to[step] = even + odd;
        to[2 * step] = even - odd;
        to[3 * step] = evenSmall + oddSmall;
        to[4 * step] = evenSmall - oddSmall;
        to[5 * step] = 4 * b - 5 * d + f;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Output(Vector512<float> a, Vector512<float> b, Vector512<float> c, Vector512<float> d, Vector512<float> e, Vector512<float> f, Vector512<float>* to, int step)
    {
        Vector512<float> sum = b + c, difference = b - c, sumFar = d + e, differenceFar = d - e;
        to[0] = a + sum + sumFar;
        to[step] = difference + 2 * differenceFar;
        to[2 * step] = sum + 4 * sumFar;
        to[3 * step] = difference + 8 * differenceFar + f;
    }
}
