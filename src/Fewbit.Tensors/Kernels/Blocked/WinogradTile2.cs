using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Fewbit.Tensors.Kernels;

/// <summary>F(2,3): 16 products for 4 outputs.</summary>
internal readonly unsafe struct WinogradTile2 : IWinogradTile
{
    public static int Outputs => 2;

    public static int TransformCost => 110;

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Kernel(float* taps, nint tapStep, float* to, nint step)
    {
        Vector512<float> s0, s1, s2, d0, d1, d2;
        Halves(taps, tapStep, 0, out s0, out d0);
        Halves(taps, tapStep, 1, out s1, out d1);
        Halves(taps, tapStep, 2, out s2, out d2);
        KernelRow(Vector512.Load(taps), Vector512.Load(taps + tapStep), Vector512.Load(taps + 2 * tapStep), to, step);
        KernelRow(s0, s1, s2, to + 4 * step, step);
        KernelRow(d0, d1, d2, to + 8 * step, step);
        KernelRow(Vector512.Load(taps + 6 * tapStep), Vector512.Load(taps + 7 * tapStep), Vector512.Load(taps + 8 * tapStep), to + 12 * step, step);
    }

    /// <summary>Half of sum and difference of a column.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Halves(float* taps, nint tapStep, int j, out Vector512<float> sum, out Vector512<float> difference)
    {
        Vector512<float> ends = 0.5f * (Vector512.Load(taps + j * tapStep) + Vector512.Load(taps + (6 + j) * tapStep)), middle = 0.5f * Vector512.Load(taps + (3 + j) * tapStep);
        sum = ends + middle;
        difference = ends - middle;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void KernelRow(Vector512<float> a, Vector512<float> b, Vector512<float> c, float* to, nint step)
    {
        Vector512<float> ends = 0.5f * (a + c), middle = 0.5f * b;
        a.Store(to);
        (ends + middle).Store(to + step);
        (ends - middle).Store(to + 2 * step);
        c.Store(to + 3 * step);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Input(float** rows, float* to, nint step)
    {
        float* a = rows[0], b = rows[1], c = rows[2], d = rows[3];
        InputRow(Load(a, 0) - Load(c, 0), Load(a, 1) - Load(c, 1), Load(a, 2) - Load(c, 2), Load(a, 3) - Load(c, 3), to, step);
        to += 4 * step;
        InputRow(Load(b, 0) + Load(c, 0), Load(b, 1) + Load(c, 1), Load(b, 2) + Load(c, 2), Load(b, 3) + Load(c, 3), to, step);
        to += 4 * step;
        InputRow(Load(c, 0) - Load(b, 0), Load(c, 1) - Load(b, 1), Load(c, 2) - Load(b, 2), Load(c, 3) - Load(b, 3), to, step);
        to += 4 * step;
        InputRow(Load(b, 0) - Load(d, 0), Load(b, 1) - Load(d, 1), Load(b, 2) - Load(d, 2), Load(b, 3) - Load(d, 3), to, step);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Errors(float** rows, float* to, nint step)
    {
        float* a = rows[0], b = rows[1];
        Vector512<float> a0 = Load(a, 0), a1 = Load(a, 1), b0 = Load(b, 0), b1 = Load(b, 1);
        ErrorsRow(a0, a1, to, step);
        ErrorsRow(a0 + b0, a1 + b1, to + 4 * step, step);
        ErrorsRow(a0 - b0, a1 - b1, to + 8 * step, step);
        ErrorsRow(-b0, -b1, to + 12 * step, step);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void KernelGradient(float* sums, nint step, float* taps)
    {
        Vector512<float>* rows = stackalloc Vector512<float>[12];
        for (int j = 0; j < 4; j++, sums += step)
            TapSums(Vector512.Load(sums), Vector512.Load(sums + 4 * step), Vector512.Load(sums + 8 * step), Vector512.Load(sums + 12 * step), out rows[j], out rows[4 + j], out rows[8 + j]);
        for (int i = 0; i < 3; i++, taps += 48)
        {
            TapSums(rows[4 * i], rows[4 * i + 1], rows[4 * i + 2], rows[4 * i + 3], out Vector512<float> first, out Vector512<float> second, out Vector512<float> third);
            first.Store(taps);
            second.Store(taps + 16);
            third.Store(taps + 32);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void ErrorsRow(Vector512<float> a, Vector512<float> b, float* to, nint step)
    {
        a.Store(to);
        (a + b).Store(to + step);
        (a - b).Store(to + 2 * step);
        (-b).Store(to + 3 * step);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void TapSums(Vector512<float> a, Vector512<float> b, Vector512<float> c, Vector512<float> d, out Vector512<float> first, out Vector512<float> second, out Vector512<float> third)
    {
        Vector512<float> sum = 0.5f * (b + c);
        first = a + sum;
        second = 0.5f * (b - c);
        third = sum + d;
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Output(float* from, in BlockedSquare to)
    {
        Column(from, 0, out Vector512<float> p0, out Vector512<float> q0);
        Column(from, 1, out Vector512<float> p1, out Vector512<float> q1);
        Column(from, 2, out Vector512<float> p2, out Vector512<float> q2);
        Column(from, 3, out Vector512<float> p3, out Vector512<float> q3);
        to.Store(0, p0 + p1 + p2, p1 - p2 - p3);
        to.Store(1, q0 + q1 + q2, q1 - q2 - q3);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void InputRow(Vector512<float> a, Vector512<float> b, Vector512<float> c, Vector512<float> d, float* to, nint step)
    {
        (a - c).Store(to);
        (b + c).Store(to + step);
        (c - b).Store(to + 2 * step);
        (b - d).Store(to + 3 * step);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Column(float* from, int j, out Vector512<float> p, out Vector512<float> q)
    {
        Vector512<float> b = Load(from, 4 + j), c = Load(from, 8 + j);
        p = Load(from, j) + b + c;
        q = b - c - Load(from, 12 + j);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<float> Load(float* from, int j) => Vector512.Load(from + 16 * j);
}
