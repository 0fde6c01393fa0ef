using System.Collections;
using System.Runtime.CompilerServices;

namespace Fewbit.Tensors;

/// <summary>The lengths of a tensor's dimensions, outermost first. Immutable; equal when all lengths are equal.</summary>
[CollectionBuilder(typeof(Shape), nameof(Create))]
public readonly struct Shape : IEquatable<Shape>, IEnumerable<long>
{
    private readonly long[]? _dims;

    /// <summary>A shape of the given lengths; none makes a scalar.</summary>
    /// <exception cref="ArgumentOutOfRangeException">A length is negative.</exception>
    /// <exception cref="OverflowException">The product of the lengths, those of 0 left out, leaves 63 bits.</exception>
    public Shape(params ReadOnlySpan<long> dims)
    {
        // Strides and products of some dimensions must fit even where another one is 0.
        (long count, long others) = (1, 1);
        foreach (long dim in dims)
        {
            if (dim < 0) throw new NegativeLengthException(dim);
            others = checked(others * Math.Max(1, dim));
            count = dim == 0 ? 0 : count == 0 ? 0 : others;
        }
        _dims = dims.ToArray();
        ElementCount = count;
    }

    /// <summary>The shape of a single number.</summary>
    public static Shape Scalar => default;

    /// <summary>Number of dimensions; 0 for a scalar.</summary>
    public int Rank => _dims?.Length ?? 0;

    /// <summary>Product of all lengths; 1 for a scalar.</summary>
    public long ElementCount => _dims is null ? 1 : field;

    /// <summary>The lengths.</summary>
    public ReadOnlySpan<long> Dims => _dims;

    /// <summary>Length of dimension <paramref name="axis"/>, 0 to Rank - 1.</summary>
    public long this[int axis] => Dims[axis];

    /// <summary>Builds a shape from a collection expression.</summary>
    public static Shape Create(ReadOnlySpan<long> dims) => new(dims);

    /// <summary>Product of the lengths of dimensions [start, end).</summary>
    public long CountOf(int start, int end)
    {
        long count = 1;
        for (int axis = start; axis < end; axis++) count *= Dims[axis];
        return count;
    }

    /// <summary>Elements between neighbours along each dimension of a dense row-major tensor.</summary>
    public long[] Strides()
    {
        var strides = new long[Rank];
        long step = 1;
        for (int axis = Rank - 1; axis >= 0; axis--)
        {
            strides[axis] = step;
            step *= Dims[axis];
        }
        return strides;
    }

    /// <summary>The same shape with one length replaced.</summary>
    public Shape With(int axis, long length)
    {
        long[] dims = Dims.ToArray();
        dims[axis] = length;
        return new(dims);
    }

    /// <summary>The shape that two shapes broadcast to by NumPy's rule; null where they do not fit.</summary>
    public static Shape? Broadcast(Shape a, Shape b)
    {
        var dims = new long[Math.Max(a.Rank, b.Rank)];
        for (int i = 1; i <= dims.Length; i++)
        {
            long x = i <= a.Rank ? a[a.Rank - i] : 1, y = i <= b.Rank ? b[b.Rank - i] : 1;
            if (x != y && x != 1 && y != 1) return null;
            dims[^i] = x == 1 ? y : x;
        }
        return new(dims);
    }

    /// <inheritdoc/>
    public bool Equals(Shape other) => Dims.SequenceEqual(other.Dims);

    /// <inheritdoc/>
    public override bool Equals(object? obj) => obj is Shape other && Equals(other);

    /// <inheritdoc/>
    public override int GetHashCode()
    {
        var hash = new HashCode();
        foreach (long dim in Dims) hash.Add(dim);
        return hash.ToHashCode();
    }

    /// <inheritdoc/>
    public static bool operator ==(Shape left, Shape right) => left.Equals(right);

    /// <inheritdoc/>
    public static bool operator !=(Shape left, Shape right) => !left.Equals(right);

    /// <summary>The form of messages: [8, 64, 56, 56].</summary>
    public override string ToString() => $"[{string.Join(", ", _dims ?? [])}]";

    IEnumerator<long> IEnumerable<long>.GetEnumerator() => ((IEnumerable<long>)(_dims ?? [])).GetEnumerator();

    IEnumerator IEnumerable.GetEnumerator() => (_dims ?? []).GetEnumerator();
}
