using Fewbit.Tensors;

namespace Fewbit.Graphs.Tests.Differentiation;

/// <summary>The table of cases, by family: every operator with a gradient rule is in it.</summary>
internal static partial class GradientCases
{
    public static IReadOnlyList<GradientCase> All { get; } =
        [.. Unary, .. Binary, .. Movement, .. Selection, .. Reductions, .. Matrix, .. Windows, .. Resampling, .. Normalization, .. Signal, .. Fused, .. Losses, .. Recurrence, .. Sequences];

    private static int s_seed;

    /// <summary>Random numbers in [min, max], others at each call, the same in every run: the table is made once.</summary>
    private static Tensor X(Shape shape, double min = -1, double max = 1) => GradientCheck.Random(shape, ++s_seed, min, max);

    /// <summary>Random numbers of either sign, at least 0.2 away from 0 and at most 1.5.</summary>
    private static Tensor AwayFromZero(Shape shape)
    {
        Tensor x = X(shape, -1.3, 1.3);
        foreach (ref double element in x.Span<double>()) element += element < 0 ? -0.2 : 0.2;
        return x;
    }

    /// <summary>Random order of numbers that lie 0.1 apart, so that no step of the differences changes which is larger.</summary>
    private static Tensor Apart(Shape shape)
    {
        Tensor x = Tensor.AllocateUninitialized(ElementType.Float64, shape);
        double[] numbers = [.. Enumerable.Range(0, (int)x.ElementCount).Select(i => 0.1 * i - 0.05 * x.ElementCount + 0.03)];
        new Random(++s_seed).Shuffle(numbers);
        numbers.CopyTo(x.Span<double>());
        return x;
    }

    private static Tensor Numbers(Shape shape, params double[] numbers) => Tensor.From<double>(numbers, shape);

    private static Tensor Ints(params long[] numbers) => Tensor.From<long>(numbers);

    private static Tensor Ints(Shape shape, params long[] numbers) => Tensor.From<long>(numbers, shape);

    private static Tensor Int(long number) => Tensor.Scalar(number);
}
