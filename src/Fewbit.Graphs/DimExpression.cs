using System.Globalization;

namespace Fewbit.Graphs;

/// <summary>A sum of products of symbols, read from the name of a length and written as one: 2 * N * H + T - 1.</summary>
/// <remarks>One sum has one form, so that equal lengths have equal names. A name of another form is a symbol as a whole.</remarks>
internal sealed class DimExpression
{
    // A file may add lengths without end.
    private const int MaxTerms = 8, MaxFactors = 8;
    private readonly SortedDictionary<string, long> _terms = new(StringComparer.Ordinal); // coefficient by product; the empty product is the constant

    private bool _overflows;

    private DimExpression()
    {
    }

    /// <summary>The expression of a length that is known or symbolic.</summary>
    public static DimExpression Of(Dim dim)
    {
        var result = new DimExpression();
        if (dim.IsKnown) result.Add("", dim.Length);
        return dim.IsKnown || result.TryParse(dim.Symbol!) ? result : Atom(dim.Symbol!);
    }

    public static DimExpression Add(DimExpression a, DimExpression b, long sign)
    {
        var result = new DimExpression();
        foreach ((string product, long count) in a._terms) result.Add(product, count);
        foreach ((string product, long count) in b._terms) result.Add(product, (Int128)sign * count);
        return result;
    }

    public static DimExpression Multiply(DimExpression a, DimExpression b)
    {
        var result = new DimExpression();
        foreach ((string x, long n) in a._terms)
        {
            foreach ((string y, long m) in b._terms) result.Add(Join(Factors(x).Concat(Factors(y))), (Int128)n * m);
        }
        return result;
    }

    /// <summary>The quotient where the divisor is one product that every term holds; null otherwise.</summary>
    public static DimExpression? Divide(DimExpression a, DimExpression b)
    {
        if (b._terms.Count != 1) return null;
        (string divisor, long count) = b._terms.First();
        var result = new DimExpression();
        foreach ((string product, long n) in a._terms)
        {
            List<string> left = [.. Factors(product)];
            if (n % count != 0 || !Factors(divisor).All(left.Remove)) return null;
            result.Add(Join(left), n / count);
        }
        return result;
    }

    /// <summary>The length: a number, a name, or unknown where the expression is too long to be one, or nothing in it is above 0.</summary>
    public Dim ToDim()
    {
        if (_overflows) return Dim.Unknown;
        if (_terms.Count == 0) return 0;
        if (_terms.Count == 1 && _terms.TryGetValue("", out long number)) return number >= 0 ? number : Dim.Unknown;
        if (_terms.Count > MaxTerms || _terms.Values.All(count => count < 0) || _terms.Values.Any(count => Math.Abs(count) > int.MaxValue) || _terms.Keys.Any(product => Factors(product).Length > MaxFactors)) return Dim.Unknown;
        string text = "";
        // The constant, which sorts first, is written last; so is what is subtracted.
        foreach ((string product, long count) in _terms.OrderBy(term => (term.Value < 0, term.Key.Length == 0)))
        {
            string sign = count < 0 ? " - " : text.Length > 0 ? " + " : "";
            string size = Math.Abs(count).ToString(CultureInfo.InvariantCulture);
            text += sign + (product.Length == 0 ? size : Math.Abs(count) == 1 ? product : $"{size} * {product}");
        }
        return Dim.Named(text);
    }

    private static DimExpression Atom(string symbol)
    {
        var result = new DimExpression();
        result.Add(symbol, 1);
        return result;
    }

    /// <summary>Reads words with operators between them; false where the name has another form.</summary>
    private bool TryParse(string text)
    {
        string[] words = text.Split(' ');
        if (words.Length % 2 == 0) return false;
        var factors = new List<string>();
        long count = 1;
        for (int i = 0; i < words.Length; i += 2)
        {
            if (words[i].Length == 0) return false;
            if (!char.IsAsciiDigit(words[i][0])) factors.Add(words[i]);
            else if (long.TryParse(words[i], NumberStyles.None, CultureInfo.InvariantCulture, out long number) && number <= int.MaxValue && Math.Abs(count) <= int.MaxValue) count *= number;
            else return false;
            string follows = i + 1 < words.Length ? words[i + 1] : "+";
            if (follows == "*") continue;
            if (follows is not ("+" or "-")) return false;
            Add(Join(factors), count);
            (factors, count) = ([], follows == "-" ? -1 : 1);
        }
        return true;
    }

    private void Add(string product, Int128 count)
    {
        Int128 sum = _terms.GetValueOrDefault(product) + count;
        _overflows |= Int128.Abs(sum) > long.MaxValue / 2;
        if (sum == 0) _terms.Remove(product);
        else if (!_overflows) _terms[product] = (long)sum;
    }

    private static string[] Factors(string product) => product.Length == 0 ? [] : product.Split(" * ");

    private static string Join(IEnumerable<string> factors) => string.Join(" * ", factors.Order(StringComparer.Ordinal));
}
