using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace Fewbit.Tensors.Kernels;

/// <summary>F(4,3): 36 products for 16 outputs.</summary>
internal readonly unsafe struct WinogradTile4 : IWinogradTile
{
    private const float Sixth = 1f / 6;

    public static int Outputs => 4;

    public static int TransformCost => 250;

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Kernel(float* taps, nint tapStep, float* to, nint step)
    {
        Vector512<float> a0 = Vector512.Load(taps), a1 = Vector512.Load(taps + tapStep), a2 = Vector512.Load(taps + 2 * tapStep);
        Vector512<float> b0 = Vector512.Load(taps + 3 * tapStep), b1 = Vector512.Load(taps + 4 * tapStep), b2 = Vector512.Load(taps + 5 * tapStep);
        Vector512<float> c0 = Vector512.Load(taps + 6 * tapStep), c1 = Vector512.Load(taps + 7 * tapStep), c2 = Vector512.Load(taps + 8 * tapStep);
        KernelRow(0.25f * a0, 0.25f * a1, 0.25f * a2, to, step);
        KernelRow(c0, c1, c2, to + 30 * step, step);
        Vector512<float> s0 = Sixth * (a0 + c0), s1 = Sixth * (a1 + c1), s2 = Sixth * (a2 + c2);
        KernelRow(Plus(-s0, -Sixth, b0), Plus(-s1, -Sixth, b1), Plus(-s2, -Sixth, b2), to + 6 * step, step);
        KernelRow(Plus(-s0, Sixth, b0), Plus(-s1, Sixth, b1), Plus(-s2, Sixth, b2), to + 12 * step, step);
        s0 = Sixth * Plus(c0, 0.25f, a0);
        s1 = Sixth * Plus(c1, 0.25f, a1);
        s2 = Sixth * Plus(c2, 0.25f, a2);
        KernelRow(Plus(s0, Sixth / 2, b0), Plus(s1, Sixth / 2, b1), Plus(s2, Sixth / 2, b2), to + 18 * step, step);
        KernelRow(Plus(s0, -Sixth / 2, b0), Plus(s1, -Sixth / 2, b1), Plus(s2, -Sixth / 2, b2), to + 24 * step, step);
    }

    /// <summary>(a / 4, -(a + b + c) / 6, -(a - b + c) / 6, (a / 4 + b / 2 + c) / 6, (a / 4 - b / 2 + c) / 6, c).</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void KernelRow(Vector512<float> a, Vector512<float> b, Vector512<float> c, float* to, nint step)
    {
        Vector512<float> ends = Sixth * (a + c), far = Sixth * Plus(c, 0.25f, a);
        (0.25f * a).Store(to);
        Plus(-ends, -Sixth, b).Store(to += step);
        Plus(-ends, Sixth, b).Store(to += step);
        Plus(far, Sixth / 2, b).Store(to += step);
        Plus(far, -Sixth / 2, b).Store(to += step);
        c.Store(to + step);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Input(float** rows, float* to, nint step)
    {
        float* a = rows[0], b = rows[1], c = rows[2], d = rows[3], e = rows[4], f = rows[5];
        Vector512<float> p0, p1, p2, p3, p4, p5, q0, q1, q2, q3, q4, q5;
        Outer(a, b, c, d, e, f, 0, out p0, out q0);
        Outer(a, b, c, d, e, f, 1, out p1, out q1);
        Outer(a, b, c, d, e, f, 2, out p2, out q2);
        Outer(a, b, c, d, e, f, 3, out p3, out q3);
        Outer(a, b, c, d, e, f, 4, out p4, out q4);
        Outer(a, b, c, d, e, f, 5, out p5, out q5);
        InputRow(p0, p1, p2, p3, p4, p5, to, step);
        InputRow(q0, q1, q2, q3, q4, q5, to + 30 * step, step);
        Inner(b, c, d, e, 0, out p0, out q0);
        Inner(b, c, d, e, 1, out p1, out q1);
        Inner(b, c, d, e, 2, out p2, out q2);
        Inner(b, c, d, e, 3, out p3, out q3);
        Inner(b, c, d, e, 4, out p4, out q4);
        Inner(b, c, d, e, 5, out p5, out q5);
        InputRow(p0, p1, p2, p3, p4, p5, to + 6 * step, step);
        InputRow(q0, q1, q2, q3, q4, q5, to + 12 * step, step);
        InnerDouble(b, c, d, e, 0, out p0, out q0);
        InnerDouble(b, c, d, e, 1, out p1, out q1);
        InnerDouble(b, c, d, e, 2, out p2, out q2);
        InnerDouble(b, c, d, e, 3, out p3, out q3);
        InnerDouble(b, c, d, e, 4, out p4, out q4);
        InnerDouble(b, c, d, e, 5, out p5, out q5);
        InputRow(p0, p1, p2, p3, p4, p5, to + 18 * step, step);
        InputRow(q0, q1, q2, q3, q4, q5, to + 24 * step, step);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Errors(float** rows, float* to, nint step)
    {
        float* a = rows[0], b = rows[1], c = rows[2], d = rows[3];
        ErrorsRow(Load(a, 0), Load(a, 1), Load(a, 2), Load(a, 3), to, step);
        ErrorsRow(Load(d, 0), Load(d, 1), Load(d, 2), Load(d, 3), to + 30 * step, step);
        Vector512<float> e0 = Load(a, 0) + Load(c, 0), e1 = Load(a, 1) + Load(c, 1), e2 = Load(a, 2) + Load(c, 2), e3 = Load(a, 3) + Load(c, 3);
        Vector512<float> o0 = Load(b, 0) + Load(d, 0), o1 = Load(b, 1) + Load(d, 1), o2 = Load(b, 2) + Load(d, 2), o3 = Load(b, 3) + Load(d, 3);
        ErrorsRow(e0 + o0, e1 + o1, e2 + o2, e3 + o3, to + 6 * step, step);
        ErrorsRow(e0 - o0, e1 - o1, e2 - o2, e3 - o3, to + 12 * step, step);
        e0 = Plus(Load(a, 0), 4, Load(c, 0));
        e1 = Plus(Load(a, 1), 4, Load(c, 1));
        e2 = Plus(Load(a, 2), 4, Load(c, 2));
        e3 = Plus(Load(a, 3), 4, Load(c, 3));
        o0 = 2 * Plus(Load(b, 0), 4, Load(d, 0));
        o1 = 2 * Plus(Load(b, 1), 4, Load(d, 1));
        o2 = 2 * Plus(Load(b, 2), 4, Load(d, 2));
        o3 = 2 * Plus(Load(b, 3), 4, Load(d, 3));
        ErrorsRow(e0 + o0, e1 + o1, e2 + o2, e3 + o3, to + 18 * step, step);
        ErrorsRow(e0 - o0, e1 - o1, e2 - o2, e3 - o3, to + 24 * step, step);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void KernelGradient(float* sums, nint step, float* taps)
    {
        Vector512<float>* rows = stackalloc Vector512<float>[18];
        for (int j = 0; j < 6; j++, sums += step)
        {
            TapSums(Vector512.Load(sums), Vector512.Load(sums + 6 * step), Vector512.Load(sums + 12 * step), Vector512.Load(sums + 18 * step), Vector512.Load(sums + 24 * step), Vector512.Load(sums + 30 * step),
                out rows[j], out rows[6 + j], out rows[12 + j]);
        }
        for (int i = 0; i < 3; i++, rows += 6, taps += 48)
        {
            TapSums(rows[0], rows[1], rows[2], rows[3], rows[4], rows[5], out Vector512<float> first, out Vector512<float> second, out Vector512<float> third);
            first.Store(taps);
            second.Store(taps + 16);
            third.Store(taps + 32);
        }
    }

    /// <summary>(a, a + b + c + d, a - b + c - d, a + 2 b + 4 c + 8 d, a - 2 b + 4 c - 8 d, d).</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void ErrorsRow(Vector512<float> a, Vector512<float> b, Vector512<float> c, Vector512<float> d, float* to, nint step)
    {
        Vector512<float> even = a + c, odd = b + d, evenFar = Plus(a, 4, c), oddFar = Plus(b, 4, d);
        a.Store(to);
        (even + odd).Store(to += step);
        (even - odd).Store(to += step);
        Plus(evenFar, 2, oddFar).Store(to += step);
        Minus(evenFar, 2, oddFar).Store(to += step);
        d.Store(to + step);
    }

    /// <summary>The transpose of a kernel's row: (a / 4 - (b + c) / 6 + (d + e) / 24, (c - b) / 6 + (d - e) / 12, (d + e - b - c) / 6 + f).</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void TapSums(Vector512<float> a, Vector512<float> b, Vector512<float> c, Vector512<float> d, Vector512<float> e, Vector512<float> f, out Vector512<float> first, out Vector512<float> second, out Vector512<float> third)
    {
        Vector512<float> near = b + c, far = d + e;
        first = 0.25f * a + Sixth * Plus(-near, 0.25f, far);
        second = Sixth * Plus(c - b, 0.5f, d - e);
        third = Plus(f, Sixth, far - near);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Output(float* from, in BlockedSquare to)
    {
        Vector512<float> p0, p1, p2, p3, p4, p5, q0, q1, q2, q3, q4, q5;
        Even(from, 0, out p0, out q0);
        Even(from, 1, out p1, out q1);
        Even(from, 2, out p2, out q2);
        Even(from, 3, out p3, out q3);
        Even(from, 4, out p4, out q4);
        Even(from, 5, out p5, out q5);
        OutputRow(p0, p1, p2, p3, p4, p5, 0, to);
        OutputRow(q0, q1, q2, q3, q4, q5, 2, to);
        Odd(from, 0, out p0, out q0);
        Odd(from, 1, out p1, out q1);
        Odd(from, 2, out p2, out q2);
        Odd(from, 3, out p3, out q3);
        Odd(from, 4, out p4, out q4);
        Odd(from, 5, out p5, out q5);
        OutputRow(p0, p1, p2, p3, p4, p5, 1, to);
        OutputRow(q0, q1, q2, q3, q4, q5, 3, to);
    }

    /// <summary>Rows 0 and 5.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Outer(float* a, float* b, float* c, float* d, float* e, float* f, int j, out Vector512<float> first, out Vector512<float> last)
    {
        first = Ends(Load(a, j), Load(c, j), Load(e, j));
        last = Ends(Load(b, j), Load(d, j), Load(f, j));
    }

    /// <summary>Rows 1 and 2.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Inner(float* b, float* c, float* d, float* e, int j, out Vector512<float> first, out Vector512<float> second)
    {
        Vector512<float> even = Minus(Load(e, j), 4, Load(c, j)), odd = Minus(Load(d, j), 4, Load(b, j));
        first = even + odd;
        second = even - odd;
    }

    /// <summary>Rows 3 and 4.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void InnerDouble(float* b, float* c, float* d, float* e, int j, out Vector512<float> first, out Vector512<float> second)
    {
        Vector512<float> even = Load(e, j) - Load(c, j), odd = Load(d, j) - Load(b, j);
        first = Plus(even, 2, odd);
        second = Minus(even, 2, odd);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void InputRow(Vector512<float> a, Vector512<float> b, Vector512<float> c, Vector512<float> d, Vector512<float> e, Vector512<float> f, float* to, nint step)
    {
        Vector512<float> even = Minus(e, 4, c), odd = Minus(d, 4, b), evenDouble = e - c, oddDouble = d - b;
        Ends(a, c, e).Store(to);
        (even + odd).Store(to += step);
        (even - odd).Store(to += step);
        Plus(evenDouble, 2, oddDouble).Store(to += step);
        Minus(evenDouble, 2, oddDouble).Store(to += step);
        Ends(b, d, f).Store(to + step);
    }

    /// <summary>Outputs 0 and 2 of a column.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Even(float* from, int j, out Vector512<float> first, out Vector512<float> third)
    {
        Vector512<float> sum = Load(from, 6 + j) + Load(from, 12 + j), far = Load(from, 18 + j) + Load(from, 24 + j);
        first = Load(from, j) + sum + far;
        third = Plus(sum, 4, far);
    }

    /// <summary>Outputs 1 and 3 of a column.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Odd(float* from, int j, out Vector512<float> second, out Vector512<float> fourth)
    {
        Vector512<float> difference = Load(from, 6 + j) - Load(from, 12 + j), far = Load(from, 18 + j) - Load(from, 24 + j);
        second = Plus(difference, 2, far);
        fourth = Plus(difference + Load(from, 30 + j), 8, far);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void OutputRow(Vector512<float> a, Vector512<float> b, Vector512<float> c, Vector512<float> d, Vector512<float> e, Vector512<float> f, int row, in BlockedSquare to)
    {
        Vector512<float> sum = b + c, difference = b - c, far = d + e, farDifference = d - e;
        to.Store(row, a + sum + far, Plus(difference, 2, farDifference), Plus(sum, 4, far), Plus(difference + f, 8, farDifference));
    }

    /// <summary>4 a - 5 c + e.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<float> Ends(Vector512<float> a, Vector512<float> c, Vector512<float> e) => Plus(Minus(e, 5, c), 4, a);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<float> Plus(Vector512<float> sum, float factor, Vector512<float> x) => Avx512F.FusedMultiplyAdd(Vector512.Create(factor), x, sum);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<float> Minus(Vector512<float> sum, float factor, Vector512<float> x) => Avx512F.FusedMultiplyAddNegated(Vector512.Create(factor), x, sum);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<float> Load(float* from, int j) => Vector512.Load(from + 16 * j);
}
