using Fewbit.Tensors.Kernels;

namespace Fewbit.Formats;

/// <summary>A format of at most 256 numbers that stand in a table.</summary>
public abstract record LevelFormat : NumberFormat
{
    private LevelTable? _table;

    private protected LevelFormat()
    {
    }

    private protected LevelTable Table => _table ??= CreateTable();

    /// <inheritdoc/>
    public sealed override ValueRange RangeOf(int zeroPoint = 0) => new(Table.Levels[0], Table.Levels[^1]);

    /// <inheritdoc/>
    public sealed override float[] Numbers(int zeroPoint = 0) => Table.Levels.ToArray();

    /// <inheritdoc/>
    public override int Encode(float number, int zeroPoint = 0) => Table.CodeAt(Table.NearestTo(number));

    /// <inheritdoc/>
    public sealed override Neighbours NeighboursOf(float number, int zeroPoint = 0)
    {
        CheckNumber(number);
        ReadOnlySpan<float> levels = Table.Levels;
        int below = Table.Below(number);
        return new(levels[below], number < levels[0] ? levels[0] : levels[Math.Min(below + 1, levels.Length - 1)]);
    }

    /// <inheritdoc/>
    public override void Quantize(ReadOnlySpan<float> values, Span<int> codes, float scale, int zeroPoint = 0) => LevelRounder.Codes(Table, values, codes, scale);

    /// <inheritdoc/>
    public sealed override void Dequantize(ReadOnlySpan<int> codes, Span<float> values, float scale, int zeroPoint = 0)
    {
        Span<float> numbers = stackalloc float[1 << BitWidth];
        for (int code = 0; code < numbers.Length; code++) numbers[code] = Decode(code);
        for (int i = 0; i < codes.Length; i++) values[i] = numbers[codes[i]] * scale;
    }

    /// <summary>Compares the kind: the table follows from what each format is made of.</summary>
    public virtual bool Equals(LevelFormat? other) => base.Equals(other);

    /// <inheritdoc/>
    public override int GetHashCode() => base.GetHashCode();

    internal override unsafe void FakeQuantize(float* x, float* y, long rows, long inner, ReadOnlySpan<float> scales, ReadOnlySpan<int> zeroPoints) =>
        LevelRounder.Run(Table, x, y, rows, inner, scales);

    private protected sealed override bool IsInside(float number, int zeroPoint) => number >= Table.Levels[0] && number <= Table.Levels[^1];

    private protected abstract LevelTable CreateTable();
}
