namespace Fewbit.Graphs;

/// <summary>The length of one dimension: a number, a named symbol such as the batch, or unknown.</summary>
public readonly record struct Dim
{
    private readonly long _lengthPlusOne; // 0 is "not known", so that default(Dim) is unknown

    private Dim(long lengthPlusOne, string? symbol) => (_lengthPlusOne, Symbol) = (lengthPlusOne, symbol);

    /// <summary>A length that nothing is known of.</summary>
    public static Dim Unknown => default;

    /// <summary>The name of a symbolic length; null for a number and for an unknown length.</summary>
    public string? Symbol { get; }

    /// <summary>True where the length is a number.</summary>
    public bool IsKnown => _lengthPlusOne > 0;

    /// <summary>The number.</summary>
    /// <exception cref="InvalidOperationException">The length is symbolic or unknown.</exception>
    public long Length => IsKnown ? _lengthPlusOne - 1 : throw new InvalidOperationException($"the length {this} is not a number");

    /// <summary>A length that is the same wherever the symbol stands.</summary>
    public static Dim Named(string symbol) => new(0, symbol);

    /// <summary>A named symbol.</summary>
    public static implicit operator Dim(string symbol) => Named(symbol);

    /// <summary>A number, 0 or more.</summary>
    public static implicit operator Dim(long length) => length < 0 ? throw new Fewbit.Tensors.NegativeLengthException(length) : new(checked(length + 1), null);

    /// <summary>Sum; of symbols the expression is the name of the result: N + 1.</summary>
    public static Dim operator +(Dim a, Dim b) => a.IsKnown && b.IsKnown ? checked(a.Length + b.Length) : a == 0 ? b : b == 0 ? a
        : a.IsNothing || b.IsNothing ? Unknown : DimExpression.Add(DimExpression.Of(a), DimExpression.Of(b), 1).ToDim();

    /// <summary>Difference; unknown where it is below 0.</summary>
    public static Dim operator -(Dim a, Dim b) => b == 0 ? a : a.IsNothing || b.IsNothing ? Unknown : DimExpression.Add(DimExpression.Of(a), DimExpression.Of(b), -1).ToDim();

    /// <summary>Product; of symbols the expression is the name of the result: 2 * N.</summary>
    public static Dim operator *(Dim a, Dim b) => a == 0 || b == 0 ? 0 : a.IsKnown && b.IsKnown ? checked(a.Length * b.Length) : a == 1 ? b : b == 1 ? a
        : a.IsNothing || b.IsNothing ? Unknown : DimExpression.Multiply(DimExpression.Of(a), DimExpression.Of(b)).ToDim();

    /// <summary>Quotient; unknown where it is not seen to be a whole number.</summary>
    public static Dim operator /(Dim a, Dim b) => b == 1 ? a : b == 0 || a.IsNothing || b.IsNothing ? Unknown
        : DimExpression.Divide(DimExpression.Of(a), DimExpression.Of(b))?.ToDim() ?? Unknown;

    /// <summary>A function of the number where it is one; unknown otherwise.</summary>
    public Dim Map(Func<long, long> function) => IsKnown ? function(Length) : Unknown;

    private bool IsNothing => !IsKnown && Symbol is null;

    /// <summary>True unless both are numbers that differ.</summary>
    public bool MayEqual(Dim other) => !IsKnown || !other.IsKnown || this == other;

    /// <summary>What is known if both describe one length: a number before a symbol before nothing.</summary>
    public Dim Or(Dim other) => IsKnown ? this : other.IsKnown ? other : Symbol is null ? other : this;

    /// <inheritdoc/>
    public override string ToString() => IsKnown ? Length.ToString(System.Globalization.CultureInfo.InvariantCulture) : Symbol ?? "?";
}
