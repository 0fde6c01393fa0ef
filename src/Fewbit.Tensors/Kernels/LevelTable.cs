using System.Numerics;

namespace Fewbit.Tensors.Kernels;

/// <summary>Numbers in ascending order and their codes: the nearest is found by halving, half-way to the even code.</summary>
internal sealed unsafe class LevelTable
{
    private readonly float[] _levels, _thresholds;
    private readonly int[] _codes;

    /// <param name="levels">Finite numbers, ascending, at least 1.</param>
    /// <param name="codes">The code of each.</param>
    public LevelTable(ReadOnlySpan<float> levels, ReadOnlySpan<int> codes)
    {
        (Count, SearchSize) = (levels.Length, (int)BitOperations.RoundUpToPowerOf2((uint)levels.Length));
        // The tables are filled up, to a vector at least; NaN is a threshold that nothing reaches.
        int size = Math.Max(SearchSize, 16);
        (_levels, _thresholds, _codes) = (new float[size], new float[size], new int[size]);
        levels.CopyTo(_levels);
        codes.CopyTo(_codes);
        _thresholds.AsSpan().Fill(float.NaN);
        for (int i = 0; i < Count - 1; i++) _thresholds[i] = Threshold(levels[i], levels[i + 1], codes[i + 1] % 2 == 0);
        for (int i = 1; i < Count; i++)
        {
            if (MathF.Abs(levels[i]) < MathF.Abs(levels[NearestToZero])) NearestToZero = i;
        }
    }

    /// <summary>The number of levels.</summary>
    public int Count { get; }

    /// <summary>The place that a NaN gets.</summary>
    public int NearestToZero { get; }

    /// <summary>The levels, ascending.</summary>
    public ReadOnlySpan<float> Levels => _levels.AsSpan(0, Count);

    /// <summary>The levels, filled up.</summary>
    public float[] PaddedLevels => _levels;

    /// <summary>The codes, filled up.</summary>
    public int[] PaddedCodes => _codes;

    /// <summary>Numbers from threshold i on are nearer to level i + 1 than to level i. Filled up with NaN.</summary>
    public float[] Thresholds => _thresholds;

    /// <summary>The power of two that holds all levels.</summary>
    public int SearchSize { get; }

    /// <summary>The code of a level.</summary>
    public int CodeAt(int place) => _codes[place];

    /// <summary>The place of the level nearest to a number.</summary>
    public int NearestTo(float number)
    {
        fixed (float* thresholds = _thresholds) return NearestTo(number, thresholds, SearchSize, NearestToZero);
    }

    /// <summary>As <see cref="NearestTo(float)"/>, on a table in fixed memory.</summary>
    public static int NearestTo(float number, float* thresholds, int searchSize, int nearestToZero)
    {
        if (float.IsNaN(number)) return nearestToZero;
        int place = 0;
        for (int step = searchSize / 2; step > 0; step /= 2)
        {
            if (number >= thresholds[place + step - 1]) place += step;
        }
        return place;
    }

    /// <summary>The place of the highest level that is not above a number; the lowest where all are.</summary>
    public int Below(float number)
    {
        int place = Levels.BinarySearch(number);
        return Math.Max(0, place >= 0 ? place : ~place - 1);
    }

    /// <summary>The least float32 that belongs to the upper of two neighbours.</summary>
    private static float Threshold(float lower, float upper, bool isTieUp)
    {
        double middle = ((double)lower + upper) / 2;
        float nearest = (float)middle;
        if (nearest == middle) return isTieUp ? nearest : MathF.BitIncrement(nearest);
        return nearest > middle ? nearest : MathF.BitIncrement(nearest);
    }
}
