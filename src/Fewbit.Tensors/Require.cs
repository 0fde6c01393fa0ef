using System.Numerics;
using System.Runtime.CompilerServices;

namespace Fewbit.Tensors;

/// <summary>Checks of arguments that return the value they checked.</summary>
public static class Require
{
    /// <summary>Returns the value if it lies in [min, max].</summary>
    /// <exception cref="ArgumentOutOfRangeException">It does not; the message names the range.</exception>
    public static T InRange<T>(T value, T min, T max, [CallerArgumentExpression(nameof(value))] string name = "") where T : INumber<T> =>
        value >= min && value <= max ? value : throw new ArgumentOutOfRangeException(name, value, $"must be in [{min}, {max}]");

    /// <summary>Returns the value if it is finite and above 0.</summary>
    /// <exception cref="ArgumentOutOfRangeException">It is not.</exception>
    public static T Positive<T>(T value, [CallerArgumentExpression(nameof(value))] string name = "") where T : INumber<T> =>
        T.IsFinite(value) && value > T.Zero ? value : throw new ArgumentOutOfRangeException(name, value, "must be finite and above 0");
}
