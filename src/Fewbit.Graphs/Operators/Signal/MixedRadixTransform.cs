using System.Numerics;

namespace Fewbit.Graphs.Operators.Signal;

/// <summary>A transform of a length with small prime factors: one pass a factor p, each of transforms of length p (self-sorting).</summary>
/// <remarks>Cooley and Tukey, 1965; Stockham's order of passes, which needs no reversal. Elements x[j] and x[p - j] meet as sum and difference, which halves the products.</remarks>
internal sealed class MixedRadixTransform<T> : FourierTransform where T : unmanaged, IBinaryFloatingPointIeee754<T>
{
    private readonly int[] _factors;
    private readonly Number[] _turns; // e^(2 pi i k / N)
    private readonly Number[] _sums;
    private readonly Number[] _differences;
    private Number[] _from;
    private Number[] _to;

    public MixedRadixTransform(int length, int[] factors)
    {
        _factors = factors;
        (_from, _to, _turns) = (new Number[length], new Number[length], new Number[length]);
        for (int k = 0; k < length; k++) _turns[k] = Number.OfTurn(k, length);
        int half = factors.Length == 0 ? 0 : factors[^1] / 2;
        (_sums, _differences) = (new Number[half], new Number[half]);
    }

    public override void Run(Span<Complex> values, bool isInverse)
    {
        for (int n = 0; n < values.Length; n++) _from[n] = new(T.CreateChecked(values[n].Real), T.CreateChecked(values[n].Imaginary));
        int done = 1;
        foreach (int p in _factors)
        {
            Pass(p, done, isInverse);
            done *= p;
            (_from, _to) = (_to, _from);
        }
        T scale = isInverse ? T.One / T.CreateChecked(values.Length) : T.One;
        for (int k = 0; k < values.Length; k++) values[k] = new(double.CreateChecked(_from[k].Real * scale), double.CreateChecked(_from[k].Imaginary * scale));
    }

    /// <summary>From [rest, p, done] to [rest, done, p], the last index the slowest.</summary>
    private void Pass(int p, int done, bool isInverse)
    {
        int rest = _from.Length / (done * p);
        var turns = new Number[p];
        for (int m = 0; m < p; m++) turns[m] = Number.OfTurn(m, p).In(isInverse);
        for (int k = 0; k < done; k++)
        {
            for (int i = 0; i < rest; i++)
            {
                Span<Number> x = _from.AsSpan(i + rest * p * k), y = _to.AsSpan(i + rest * k);
                if (p == 2) (y[0], y[rest * done]) = (x[0] + x[rest], x[0] - x[rest]);
                else Odd(p, x, rest, y, rest * done, turns);
                for (int u = 1; u < p && i > 0; u++) y[rest * done * u] *= _turns[(int)((long)u * done * i % _turns.Length)].In(isInverse);
            }
        }
    }

    /// <summary>A transform of odd length p.</summary>
    private void Odd(int p, Span<Number> x, int stepX, Span<Number> y, int stepY, Number[] turns)
    {
        int half = p / 2;
        Number total = x[0];
        for (int j = 1; j <= half; j++)
        {
            (_sums[j - 1], _differences[j - 1]) = (x[j * stepX] + x[(p - j) * stepX], x[j * stepX] - x[(p - j) * stepX]);
            total += _sums[j - 1];
        }
        y[0] = total;
        for (int u = 1; u <= half; u++)
        {
            Number even = x[0], odd = default;
            for (int j = 1; j <= half; j++)
            {
                Number turn = turns[u * j % p];
                even += new Number(turn.Real * _sums[j - 1].Real, turn.Real * _sums[j - 1].Imaginary);
                odd += new Number(-(turn.Imaginary * _differences[j - 1].Imaginary), turn.Imaginary * _differences[j - 1].Real);
            }
            (y[u * stepY], y[(p - u) * stepY]) = (even + odd, even - odd);
        }
    }

    private readonly record struct Number(T Real, T Imaginary)
    {
        public static Number OfTurn(long k, long length)
        {
            // The second half mirrors the first, so that opposite turns cancel exactly.
            long near = Math.Min(k, length - k);
            double angle = 2 * Math.PI * near / length;
            return new(T.CreateChecked(Math.Cos(angle)), T.CreateChecked(k == near ? Math.Sin(angle) : -Math.Sin(angle)));
        }

        /// <summary>As it turns forward (clockwise) or back.</summary>
        public Number In(bool isInverse) => isInverse ? this : new(Real, -Imaginary);

        public static Number operator +(Number a, Number b) => new(a.Real + b.Real, a.Imaginary + b.Imaginary);

        public static Number operator -(Number a, Number b) => new(a.Real - b.Real, a.Imaginary - b.Imaginary);

        public static Number operator *(Number a, Number b) => new(a.Real * b.Real - a.Imaginary * b.Imaginary, a.Real * b.Imaginary + a.Imaginary * b.Real);
    }
}
