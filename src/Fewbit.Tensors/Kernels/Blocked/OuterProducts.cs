using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace Fewbit.Tensors.Kernels;

/// <summary>sums[i] += x[pixel][i] * y[pixel], 16 floats i by a vector of 16, over a rectangle of pixels of some images. Steps in floats.</summary>
internal unsafe struct OuterProducts
{
    /// <summary>First pixel of each factor.</summary>
    public float* X, Y;

    /// <summary>From column to column, row to row, image to image.</summary>
    public nint XColumn, XRow, XImage, YRow, YImage;

    public int Columns, Rows, Images;

    /// <summary>16 vectors, <see cref="SumStep"/> floats apart.</summary>
    public float* Sums;
    public nint SumStep;

    private const int Lanes = ChannelBlocks.Width;

    /// <summary>True where the pixels that follow in memory are needed next: they are fetched into the second-level cache.</summary>
    public bool FetchesAhead;

    private const int AheadFloats = 1 << 10;

    /// <summary>Adds all pixels, those of the first image first, row by row.</summary>
    public readonly void Add()
    {
        if (FetchesAhead) Add<Fetching>();
        else Add<Plain>();
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private readonly void Add<TFetch>() where TFetch : struct, IFetch
    {
        float* sums = Sums;
        nint step = SumStep;
        Vector512<float> s0 = Vector512.Load(sums), s1 = Vector512.Load(sums += step), s2 = Vector512.Load(sums += step), s3 = Vector512.Load(sums += step);
        Vector512<float> s4 = Vector512.Load(sums += step), s5 = Vector512.Load(sums += step), s6 = Vector512.Load(sums += step), s7 = Vector512.Load(sums += step);
        Vector512<float> s8 = Vector512.Load(sums += step), s9 = Vector512.Load(sums += step), sa = Vector512.Load(sums += step), sb = Vector512.Load(sums += step);
        Vector512<float> sc = Vector512.Load(sums += step), sd = Vector512.Load(sums += step), se = Vector512.Load(sums += step), sf = Vector512.Load(sums += step);
        float* xImage = X, yImage = Y;
        nint xColumn = XColumn, width = (nint)Columns * Lanes;
        for (int image = Images; image > 0; image--, xImage += XImage, yImage += YImage)
        {
            float* xRow = xImage, yRow = yImage;
            for (int row = Rows; row > 0; row--, xRow += XRow, yRow += YRow)
            {
                float* x = xRow, y = yRow;
                for (float* end = y + width; y < end; y += Lanes, x += xColumn)
                {
                    Vector512<float> v = Vector512.Load(y);
                    if (TFetch.IsOn)
                    {
                        Sse.Prefetch1(x + AheadFloats);
                        Sse.Prefetch1(y + AheadFloats);
                    }
                    s0 = Avx512F.FusedMultiplyAdd(v, Vector512.Create(x[0]), s0);
                    s1 = Avx512F.FusedMultiplyAdd(v, Vector512.Create(x[1]), s1);
                    s2 = Avx512F.FusedMultiplyAdd(v, Vector512.Create(x[2]), s2);
                    s3 = Avx512F.FusedMultiplyAdd(v, Vector512.Create(x[3]), s3);
                    s4 = Avx512F.FusedMultiplyAdd(v, Vector512.Create(x[4]), s4);
                    s5 = Avx512F.FusedMultiplyAdd(v, Vector512.Create(x[5]), s5);
                    s6 = Avx512F.FusedMultiplyAdd(v, Vector512.Create(x[6]), s6);
                    s7 = Avx512F.FusedMultiplyAdd(v, Vector512.Create(x[7]), s7);
                    s8 = Avx512F.FusedMultiplyAdd(v, Vector512.Create(x[8]), s8);
                    s9 = Avx512F.FusedMultiplyAdd(v, Vector512.Create(x[9]), s9);
                    sa = Avx512F.FusedMultiplyAdd(v, Vector512.Create(x[10]), sa);
                    sb = Avx512F.FusedMultiplyAdd(v, Vector512.Create(x[11]), sb);
                    sc = Avx512F.FusedMultiplyAdd(v, Vector512.Create(x[12]), sc);
                    sd = Avx512F.FusedMultiplyAdd(v, Vector512.Create(x[13]), sd);
                    se = Avx512F.FusedMultiplyAdd(v, Vector512.Create(x[14]), se);
                    sf = Avx512F.FusedMultiplyAdd(v, Vector512.Create(x[15]), sf);
                }
            }
        }
        sums = Sums;
        s0.Store(sums);
        s1.Store(sums += step);
        s2.Store(sums += step);
        s3.Store(sums += step);
        s4.Store(sums += step);
        s5.Store(sums += step);
        s6.Store(sums += step);
        s7.Store(sums += step);
        s8.Store(sums += step);
        s9.Store(sums += step);
        sa.Store(sums += step);
        sb.Store(sums += step);
        sc.Store(sums += step);
        sd.Store(sums += step);
        se.Store(sums += step);
        sf.Store(sums + step);
    }

    /// <summary>A switch that the compiler knows.</summary>
    private interface IFetch
    {
        static abstract bool IsOn { get; }
    }

    private struct Fetching : IFetch { public static bool IsOn => true; }

    private struct Plain : IFetch { public static bool IsOn => false; }
}
