using System.Globalization;
using System.Numerics;
using Fewbit.Graphs.Operators;
using Fewbit.Graphs.Operators.Movement;
using Fewbit.Tensors;

namespace Fewbit.Graphs.Execution;

/// <summary>Looks at every number of a run, and throws where NaN or infinity first appears.</summary>
/// <remarks>Infinity that comes in from outside is left alone, since masks hold it; so is what only hands it on. NaN from outside is named at once.</remarks>
/// <param name="find">The tensor of a value that no node computes.</param>
internal sealed class AnomalyDetector(Func<Value, Tensor?> find)
{
    private readonly Dictionary<Value, NumberRange> _ranges = [];

    /// <summary>Begins a run.</summary>
    public void Begin() => _ranges.Clear();

    /// <summary>Looks at a value that comes from outside.</summary>
    /// <exception cref="InvalidDataException">It holds NaN.</exception>
    public void SeeGiven(Value value, Tensor tensor)
    {
        NumberRange range = _ranges[value] = NumberRange.Of(tensor);
        if (range.NaNs > 0) throw new InvalidDataException($"{(value.Constant is null ? "input" : "variable")} {value} holds NaN at {Position(range.FirstNaN, tensor.Shape)}, before any node runs{Count(range.NaNs, tensor)}");
    }

    /// <summary>Looks at a value that was just computed.</summary>
    /// <exception cref="InvalidDataException">NaN or infinity first appears in it.</exception>
    public void See(Value value, Tensor tensor)
    {
        NumberRange range = _ranges[value] = NumberRange.Of(tensor);
        if ((range.NaNs == 0 && range.Infinities == 0) || value.Producer is not { } node) return;
        NumberRange[] inputs = [.. node.Inputs.OfType<Value>().Select(RangeOf)];
        if (range.NaNs > 0 && Array.TrueForAll(inputs, input => input.NaNs == 0)) throw Fail(node, value, tensor, "NaN", range.FirstNaN, range.NaNs);
        if (range.Infinities > 0 && Array.TrueForAll(inputs, input => input.NaNs == 0 && input.Infinities == 0)) throw Fail(node, value, tensor, "infinity", range.FirstInfinity, range.Infinities);
    }

    private InvalidDataException Fail(Node node, Value value, Tensor tensor, string what, long first, long count)
    {
        string whose = node.GradientOf is { } forward ? $"gradient of {forward}: " : "";
        string inputs = string.Join(", ", node.Inputs.OfType<Value>().Select(input => $"{input} {RangeOf(input)}"));
        return new($"{whose}{node}: output {value} holds {what} at {Position(first, tensor.Shape)}{Count(count, tensor)}; its inputs: {inputs}");
    }

    private NumberRange RangeOf(Value value)
    {
        if (!_ranges.TryGetValue(value, out NumberRange range) && find(value) is { } tensor) _ranges[value] = range = NumberRange.Of(tensor);
        return range;
    }

    private static string Count(long count, Tensor tensor) => string.Create(CultureInfo.InvariantCulture, $" ({count} of {tensor.ElementCount} elements)");

    private static string Position(long index, Shape shape)
    {
        var position = new long[shape.Rank];
        for (int axis = shape.Rank - 1; axis >= 0; axis--) (index, position[axis]) = Math.DivRem(index, shape[axis]);
        return $"[{string.Join(", ", position)}]";
    }
}

/// <summary>The finite numbers of a tensor lie between two; how many are not finite, and where the first of them is.</summary>
internal readonly record struct NumberRange(double Min, double Max, long NaNs, long FirstNaN, long Infinities, long FirstInfinity)
{
    /// <summary>Looks at all elements; tensors of other than floating-point types hold nothing to find.</summary>
    public static NumberRange Of(Tensor tensor)
    {
        if (tensor.Layout != Layout.RowMajor) tensor = Reorder.ToRowMajor(tensor);
        return tensor.Type switch
        {
            ElementType.Float32 => Of<float>(tensor.Span<float>()),
            ElementType.Float64 => Of<double>(tensor.Span<double>()),
            var type when type.IsFloat() => Of<float>(Casting.Convert(tensor, ElementType.Float32).Span<float>()),
            _ => default,
        };
    }

    /// <summary>in [-1, 3.5]; without finite numbers nothing.</summary>
    public override string ToString() => string.Create(CultureInfo.InvariantCulture,
        $"in [{Min:G4}, {Max:G4}]{(NaNs > 0 ? $" with {NaNs} NaN" : "")}{(Infinities > 0 ? $" with {Infinities} infinite" : "")}");

    private static NumberRange Of<T>(ReadOnlySpan<T> numbers) where T : unmanaged, IBinaryFloatingPointIeee754<T>
    {
        (T min, T max) = (T.PositiveInfinity, T.NegativeInfinity);
        (long nans, long infinities, long firstNaN, long firstInfinity) = (0, 0, 0, 0);
        for (int i = 0; i < numbers.Length; i++)
        {
            T number = numbers[i];
            if (T.IsFinite(number))
            {
                if (number < min) min = number;
                if (number > max) max = number;
            }
            else if (T.IsNaN(number))
            {
                if (nans++ == 0) firstNaN = i;
            }
            else if (infinities++ == 0) firstInfinity = i;
        }
        return min > max ? new(0, 0, nans, firstNaN, infinities, firstInfinity) : new(double.CreateChecked(min), double.CreateChecked(max), nans, firstNaN, infinities, firstInfinity);
    }
}
