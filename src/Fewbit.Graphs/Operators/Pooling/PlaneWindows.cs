using System.Numerics;

namespace Fewbit.Graphs.Operators;

/// <summary>The windows of one plane of up to three dimensions, for loops that must not allocate.</summary>
internal readonly unsafe struct PlaneWindows(PoolGeometry shape)
{
    public readonly WindowAxis A = shape.Axes[0], B = shape.Axes[1], C = shape.Axes[2];

    public int InPlane => A.In * B.In * C.In;

    public int OutPlane => A.Out * B.Out * C.Out;

    /// <summary>Position in the plane of the first largest element under the window of an output (the last NaN where there are some); -1 where the window lies in the padding.</summary>
    public int Largest<T>(T* x, int i, int j, int k) where T : unmanaged, INumber<T>
    {
        int best = -1;
        for (int p = A.FirstTap(i), lastP = A.EndTap(i); p < lastP; p++)
        {
            for (int q = B.FirstTap(j), lastQ = B.EndTap(j); q < lastQ; q++)
            {
                int row = (A.Position(i, p) * B.In + B.Position(j, q)) * C.In;
                for (int r = C.FirstTap(k), lastR = C.EndTap(k); r < lastR; r++)
                {
                    int at = row + C.Position(k, r);
                    if (best < 0 || x[at] > x[best] || T.IsNaN(x[at])) best = at;
                }
            }
        }
        return best;
    }

    /// <summary>Adds a number to every element under the window of an output.</summary>
    public void Add<T>(T* x, int i, int j, int k, T number) where T : unmanaged, INumber<T>
    {
        for (int p = A.FirstTap(i), lastP = A.EndTap(i); p < lastP; p++)
        {
            for (int q = B.FirstTap(j), lastQ = B.EndTap(j); q < lastQ; q++)
            {
                int row = (A.Position(i, p) * B.In + B.Position(j, q)) * C.In;
                for (int r = C.FirstTap(k), lastR = C.EndTap(k); r < lastR; r++) x[row + C.Position(k, r)] += number;
            }
        }
    }

    /// <summary>Elements that the window of an output averages over; 1 where there are none.</summary>
    public int Count(int i, int j, int k, bool countsPad) =>
        Math.Max(1, WindowRange.CountOf(A, i, countsPad) * WindowRange.CountOf(B, j, countsPad) * WindowRange.CountOf(C, k, countsPad));
}
