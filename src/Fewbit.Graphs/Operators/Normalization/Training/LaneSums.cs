using System.Runtime.Intrinsics;

namespace Fewbit.Graphs.Operators;

/// <summary>Two sums for each of 16 lanes: float32 over short stretches, added up in float64.</summary>
internal unsafe struct LaneSums
{
    /// <summary>Numbers that <see cref="Flush"/> writes.</summary>
    public const int Doubles = 2 * ChannelRuns.Lanes;

    // Float32 sums of at most so many terms a lane err by about 1e-6 of the terms' size.
    private const int LongestFloats = 1 << 14;

    private Vector256<float> _firstLow, _firstHigh, _secondLow, _secondHigh;
    private int _pending;
    private readonly double* _totals;

    /// <param name="totals">Receives the first sums, then the second.</param>
    public LaneSums(double* totals)
    {
        _totals = totals;
        new Span<double>(totals, Doubles).Clear();
    }

    /// <summary>Floats of the next stretch of a run of which so many are left.</summary>
    public static int Stretch(int left) => Math.Min(left, LongestFloats);

    public void Add(int floats, Vector256<float> firstLow, Vector256<float> firstHigh, Vector256<float> secondLow, Vector256<float> secondHigh)
    {
        _firstLow += firstLow;
        _firstHigh += firstHigh;
        _secondLow += secondLow;
        _secondHigh += secondHigh;
        _pending += floats;
        if (_pending >= LongestFloats) Flush();
    }

    /// <summary>Adds what is pending to the totals.</summary>
    public void Flush()
    {
        for (int lane = 0; lane < 8; lane++)
        {
            _totals[lane] += _firstLow[lane];
            _totals[lane + 8] += _firstHigh[lane];
            _totals[lane + 16] += _secondLow[lane];
            _totals[lane + 24] += _secondHigh[lane];
        }
        _firstLow = _firstHigh = _secondLow = _secondHigh = default;
        _pending = 0;
    }
}
