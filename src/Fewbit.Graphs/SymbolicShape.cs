using System.Collections;
using System.Runtime.CompilerServices;
using Fewbit.Tensors;

namespace Fewbit.Graphs;

/// <summary>A shape whose lengths may be symbols or unknown; its rank is known. Immutable.</summary>
[CollectionBuilder(typeof(SymbolicShape), nameof(Create))]
public sealed class SymbolicShape : IEquatable<SymbolicShape>, IReadOnlyList<Dim>
{
    /// <summary>Dimensions that a tensor of a model may have.</summary>
    internal const int MaxRank = 64;

    private readonly Dim[] _dims;

    /// <summary>A shape of the given lengths; none makes a scalar.</summary>
    public SymbolicShape(params ReadOnlySpan<Dim> dims) => _dims = dims.ToArray();

    /// <summary>Number of dimensions.</summary>
    public int Rank => _dims.Length;

    /// <summary>True where every length is a number.</summary>
    public bool IsKnown => Array.TrueForAll(_dims, dim => dim.IsKnown);

    /// <summary>The lengths.</summary>
    public ReadOnlySpan<Dim> Dims => _dims;

    int IReadOnlyCollection<Dim>.Count => _dims.Length;

    /// <summary>Length of dimension <paramref name="axis"/>, 0 to Rank - 1.</summary>
    public Dim this[int axis] => _dims[axis];

    /// <summary>Builds a shape from a collection expression.</summary>
    public static SymbolicShape Create(ReadOnlySpan<Dim> dims) => new(dims);

    /// <summary>The symbolic form of a known shape.</summary>
    public static SymbolicShape From(Shape shape)
    {
        var dims = new Dim[shape.Rank];
        for (int axis = 0; axis < dims.Length; axis++) dims[axis] = shape[axis];
        return new(dims);
    }

    /// <summary>A shape of which only the rank is known.</summary>
    /// <exception cref="NotSupportedException">The rank is larger than any tensor of a model has.</exception>
    public static SymbolicShape OfRank(int rank) => rank is >= 0 and <= MaxRank ? new(new Dim[rank]) : throw new NotSupportedException($"a tensor has 0 to {MaxRank} dimensions, not {rank}");

    /// <summary>The shape as numbers.</summary>
    /// <exception cref="InvalidOperationException">A length is not a number.</exception>
    public Shape ToShape()
    {
        var dims = new long[Rank];
        for (int axis = 0; axis < dims.Length; axis++) dims[axis] = _dims[axis].Length;
        return new(dims);
    }

    /// <summary>The same shape with one length replaced.</summary>
    public SymbolicShape With(int axis, Dim length)
    {
        var dims = (Dim[])_dims.Clone();
        dims[axis] = length;
        return new(dims);
    }

    /// <summary>True where a tensor of the given shape agrees with every known length.</summary>
    public bool Matches(Shape shape)
    {
        if (shape.Rank != Rank) return false;
        for (int axis = 0; axis < Rank; axis++)
        {
            if (!_dims[axis].MayEqual(shape[axis])) return false;
        }
        return true;
    }

    /// <summary>The shape that two shapes broadcast to by NumPy's rule; null where known lengths do not fit.</summary>
    public static SymbolicShape? Broadcast(SymbolicShape a, SymbolicShape b)
    {
        var dims = new Dim[Math.Max(a.Rank, b.Rank)];
        for (int i = 1; i <= dims.Length; i++)
        {
            Dim x = i <= a.Rank ? a[a.Rank - i] : 1, y = i <= b.Rank ? b[b.Rank - i] : 1;
            if (x == 1) dims[^i] = y;
            else if (y == 1 || x == y) dims[^i] = x;
            else if (x.IsKnown && y.IsKnown) return null;
            else dims[^i] = x.IsKnown ? x : y.IsKnown ? y : Dim.Unknown;
        }
        return new(dims);
    }

    /// <inheritdoc/>
    public bool Equals(SymbolicShape? other) => other is not null && Dims.SequenceEqual(other.Dims);

    /// <inheritdoc/>
    public override bool Equals(object? obj) => Equals(obj as SymbolicShape);

    /// <inheritdoc/>
    public override int GetHashCode()
    {
        var hash = new HashCode();
        foreach (Dim dim in _dims) hash.Add(dim);
        return hash.ToHashCode();
    }

    /// <summary>The form of messages: [N, 64, 56, 56].</summary>
    public override string ToString() => $"[{string.Join(", ", _dims)}]";

    IEnumerator<Dim> IEnumerable<Dim>.GetEnumerator() => ((IEnumerable<Dim>)_dims).GetEnumerator();

    IEnumerator IEnumerable.GetEnumerator() => _dims.GetEnumerator();
}
