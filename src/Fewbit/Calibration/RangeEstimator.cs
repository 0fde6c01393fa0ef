using System.Numerics;
using System.Runtime.InteropServices;
using Fewbit.Formats;

namespace Fewbit.Calibration;

/// <summary>Collects what is needed of a tensor's values to choose its range, in memory that does not grow with their number.</summary>
/// <remarks>NaN and infinities are counted and otherwise ignored.</remarks>
public abstract class RangeEstimator
{
    /// <summary>Values observed, NaN and infinities included.</summary>
    public long Count { get; private set; }

    /// <summary>Values that were NaN.</summary>
    public long NanCount { get; private set; }

    /// <summary>Values that were infinite.</summary>
    public long InfinityCount { get; private set; }

    /// <summary>Lowest and highest finite value; [0, 0] while there is none.</summary>
    public ValueRange Observed { get; private set; }

    /// <summary>True once a finite value was observed.</summary>
    public bool HasValues => Count > NanCount + InfinityCount;

    /// <summary>Takes in the values of one batch.</summary>
    public void Observe(ReadOnlySpan<float> values)
    {
        if (values.IsEmpty) return;
        if (TryAdd(values, out ValueRange known))
        {
            Observed = Observed.Union(known);
            Count += values.Length;
            return;
        }
        (float min, float max) = Extremes(values);
        if (!float.IsFinite(min) || !float.IsFinite(max))
        {
            values = KeepFinite(values);
            if (values.IsEmpty) return;
            (min, max) = Extremes(values);
        }
        Observed = HasValues ? Observed.Union(new(min, max)) : new(min, max);
        Count += values.Length;
        Add(values, new(min, max));
    }

    /// <summary>The range that codes of a format should span.</summary>
    public abstract ValueRange Estimate(NumberFormat format, QuantizationScheme scheme);

    /// <summary>Scale and zero point for codes of a format: those of the range, unless the estimator searches them themselves.</summary>
    public virtual (float Scale, int ZeroPoint) Fit(NumberFormat format, QuantizationScheme scheme) => QuantizationParameters.Fit(Estimate(format, scheme), format, scheme);

    /// <summary>Share of the observed values that lie outside of a range, 0 to 1; null where the estimator does not know.</summary>
    public virtual double? ShareOutside(ValueRange range) => range.Min <= Observed.Min && range.Max >= Observed.Max ? 0 : null;

    /// <summary>Takes in values in one pass where none of them is of a new kind: all finite, all where values were seen before.</summary>
    /// <returns>False where they must be looked at first; nothing is taken in then.</returns>
    private protected virtual bool TryAdd(ReadOnlySpan<float> values, out ValueRange range)
    {
        range = default;
        return false;
    }

    /// <summary>Takes in finite values.</summary>
    /// <param name="values">At least one.</param>
    /// <param name="range">Their lowest and highest.</param>
    private protected abstract void Add(ReadOnlySpan<float> values, ValueRange range);

    private float[] KeepFinite(ReadOnlySpan<float> values)
    {
        var finite = new List<float>(values.Length);
        foreach (float value in values)
        {
            if (float.IsFinite(value)) finite.Add(value);
            else if (float.IsNaN(value)) NanCount++;
            else InfinityCount++;
        }
        Count += values.Length - finite.Count;
        return [.. finite];
    }

    /// <summary>Lowest and highest value. NaN among the values makes both NaN.</summary>
    private protected static ValueRange Extremes(ReadOnlySpan<float> values)
    {
        float min = values[0], max = values[0];
        int i = 0;
        if (values.Length >= Vector<float>.Count)
        {
            ref float source = ref MemoryMarshal.GetReference(values);
            Vector<float> low = Vector.LoadUnsafe(ref source), high = low;
            for (; i <= values.Length - Vector<float>.Count; i += Vector<float>.Count)
            {
                Vector<float> next = Vector.LoadUnsafe(ref source, (nuint)i);
                low = Vector.Min(low, next);
                high = Vector.Max(high, next);
            }
            for (int lane = 0; lane < Vector<float>.Count; lane++) (min, max) = (MathF.Min(min, low[lane]), MathF.Max(max, high[lane]));
        }
        for (; i < values.Length; i++) (min, max) = (MathF.Min(min, values[i]), MathF.Max(max, values[i]));
        return new(min, max);
    }
}
