using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Fewbit.Tensors;

namespace Fewbit.Graphs.Operators;

/// <summary>sum(weight · |x - target|^p) / (elements / length of dimension 1): summed over channels, averaged over the rest.</summary>
/// <param name="P">Exponent, 1 and up.</param>
/// <remarks>Inputs x, target and optionally weight, all of one shape. The target and the weight have no gradient rule.</remarks>
internal sealed record PowerLoss(float P) : IDifferentiable
{
    public static PowerLoss Parse(Node node)
    {
        float p = node.Float("p", 2);
        node.Expect(p >= 1, $"p is {p}, expected at least 1");
        return new(p);
    }

    /// <summary>Elements over channels.</summary>
    public static double Divisor(Tensor x) => Math.Max(1, x.Rank < 2 ? x.ElementCount : x.ElementCount / Math.Max(1, x.Shape[1]));

    public void Infer(InferenceContext context)
    {
        context.Node.ExpectInputs(2, 3);
        context.ExpectOneType(0, 1);
        (SymbolicShape? x, SymbolicShape? target) = (context.InputShape(0), context.InputShape(1));
        context.Node.Expect(x is null || target is null || x.Rank == target.Rank && x.Zip(target).All(pair => pair.First.MayEqual(pair.Second)), $"target has shape {target}, expected {x}");
        context.SetOutput(0, context.InputType(0), []);
    }

    public void Evaluate(EvaluationContext context)
    {
        (Tensor x, Tensor target, Tensor? weight) = (context.Input(0), context.Input(1), context.FindInput(2));
        if (x.Type == ElementType.Float32) context.Output(0).Span<float>()[0] = (float)(PowerLosses.Sum(x.Span<float>(), target.Span<float>(), weight is null ? default : weight.Span<float>(), P) / Divisor(x));
        else if (x.Type == ElementType.Float64) context.Output(0).Span<double>()[0] = PowerLosses.Sum<double>(x.Span<double>(), target.Span<double>(), weight is null ? default : weight.Span<double>(), P) / Divisor(x);
        else throw context.Node.Fail($"does not take {x.Type.Name()}");
    }

    public void Gradient(GradientContext context)
    {
        context.Node.Expect(!context.Needs(1) && !context.Needs(2), $"has no gradient rule for its target and weight");
        if (context.OutputGradient() is not { } gradient) return;
        context.SetInputGradient(0, context.Input(0).Apply(OperatorTable.FewbitDomain, "PowerLossGradient", new() { { "p", P } }, context.Input(1), gradient, context.Node.Input(2)));
    }
}

/// <summary>The gradient of <see cref="PowerLoss"/> with respect to x. Inputs x, target, gradient of the loss, and optionally weight.</summary>
/// <param name="P">Exponent.</param>
internal sealed record PowerLossGradient(float P) : IOperator, IInPlaceOperator
{
    public static PowerLossGradient Parse(Node node) => new(PowerLoss.Parse(node).P);

    public bool CanOverwrite(int index) => index == 0;

    public void Infer(InferenceContext context)
    {
        context.Node.ExpectInputs(3, 4);
        context.SetOutput(0, context.InputType(0), context.InputShape(0));
    }

    public void Evaluate(EvaluationContext context)
    {
        (Tensor x, Tensor target, Tensor? weight) = (context.Input(0), context.Input(1), context.FindInput(3));
        if (x.Type == ElementType.Float32)
            PowerLosses.Gradient(x.Span<float>(), target.Span<float>(), weight is null ? default : weight.Span<float>(), P, (float)(context.Input(2).Item<float>() / PowerLoss.Divisor(x)), context.Output(0).Span<float>());
        else if (x.Type == ElementType.Float64)
            PowerLosses.Gradient(x.Span<double>(), target.Span<double>(), weight is null ? default : weight.Span<double>(), P, context.Input(2).Item<double>() / PowerLoss.Divisor(x), context.Output(0).Span<double>());
        else throw context.Node.Fail($"does not take {x.Type.Name()}");
    }
}

/// <summary>The loops of <see cref="PowerLoss"/>.</summary>
internal static class PowerLosses
{
    private const int Block = 4096; // short float sums, whose totals are added up in double

    public static double Sum(ReadOnlySpan<float> x, ReadOnlySpan<float> target, ReadOnlySpan<float> weight, float p)
    {
        double total = 0;
        for (int start = 0; start < x.Length; start += Block)
        {
            int length = Math.Min(Block, x.Length - start);
            total += BlockSum(x.Slice(start, length), target.Slice(start, length), weight.IsEmpty ? default : weight.Slice(start, length), p);
        }
        return total;
    }

    /// <summary>The reference, and the path of gradient checks.</summary>
    public static T Sum<T>(ReadOnlySpan<T> x, ReadOnlySpan<T> target, ReadOnlySpan<T> weight, float p) where T : unmanaged, IFloatingPointIeee754<T>
    {
        (T sum, T exponent) = (T.Zero, T.CreateChecked(p));
        for (int i = 0; i < x.Length; i++)
        {
            T difference = T.Abs(x[i] - target[i]);
            sum += (p == 2 ? difference * difference : T.Pow(difference, exponent)) * (weight.IsEmpty ? T.One : weight[i]);
        }
        return sum;
    }

    public static void Gradient<T>(ReadOnlySpan<T> x, ReadOnlySpan<T> target, ReadOnlySpan<T> weight, float p, T factor, Span<T> result, int start = 0) where T : unmanaged, IFloatingPointIeee754<T>
    {
        T exponent = T.CreateChecked(p - 1);
        factor *= T.CreateChecked(p);
        for (int i = start; i < x.Length; i++)
        {
            T difference = x[i] - target[i];
            T slope = p == 2 ? difference : T.CopySign(T.Pow(T.Abs(difference), exponent), difference);
            result[i] = slope * factor * (weight.IsEmpty ? T.One : weight[i]);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Gradient(ReadOnlySpan<float> x, ReadOnlySpan<float> target, ReadOnlySpan<float> weight, float p, float factor, Span<float> result)
    {
        (Vector<float> exponent, Vector<float> scale) = (new(p - 1), new(factor * p));
        int i = 0;
        for (; i <= x.Length - Vector<float>.Count; i += Vector<float>.Count)
        {
            Vector<float> difference = new Vector<float>(x[i..]) - new Vector<float>(target[i..]);
            Vector<float> slope = p == 2 ? difference : Vector.CopySign(SoftRounding.Power(Vector.Abs(difference), exponent), difference);
            (weight.IsEmpty ? slope * scale : slope * scale * new Vector<float>(weight[i..])).CopyTo(result[i..]);
        }
        Gradient<float>(x, target, weight, p, factor, result, i);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static float BlockSum(ReadOnlySpan<float> x, ReadOnlySpan<float> target, ReadOnlySpan<float> weight, float p)
    {
        Vector<float> sum = Vector<float>.Zero, exponent = new(p);
        int i = 0;
        if (p == 2 && weight.IsEmpty) sum = Squares(x, target, ref i);
        for (; i <= x.Length - Vector<float>.Count; i += Vector<float>.Count)
        {
            Vector<float> difference = new Vector<float>(x[i..]) - new Vector<float>(target[i..]);
            Vector<float> power = p == 2 ? difference * difference : SoftRounding.Power(Vector.Abs(difference), exponent);
            sum += weight.IsEmpty ? power : power * new Vector<float>(weight[i..]);
        }
        return Vector.Sum(sum) + Sum<float>(x[i..], target[i..], weight.IsEmpty ? default : weight[i..], p);
    }

    /// <summary>Squares of differences in four sums at a time, so that no sum waits for itself.</summary>
    private static Vector<float> Squares(ReadOnlySpan<float> x, ReadOnlySpan<float> target, ref int start)
    {
        ref float first = ref MemoryMarshal.GetReference(x), second = ref MemoryMarshal.GetReference(target[..x.Length]);
        (Vector<float> a, Vector<float> b, Vector<float> c, Vector<float> d) = (Vector<float>.Zero, Vector<float>.Zero, Vector<float>.Zero, Vector<float>.Zero);
        int width = Vector<float>.Count;
        for (; start <= x.Length - 4 * width; start += 4 * width)
        {
            Vector<float> p = Difference(ref first, ref second, start), q = Difference(ref first, ref second, start + width);
            Vector<float> r = Difference(ref first, ref second, start + 2 * width), s = Difference(ref first, ref second, start + 3 * width);
            (a, b, c, d) = (a + p * p, b + q * q, c + r * r, d + s * s);
        }
        return a + b + (c + d);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector<float> Difference(ref float x, ref float target, int index) => Vector.LoadUnsafe(ref x, (nuint)index) - Vector.LoadUnsafe(ref target, (nuint)index);
}
