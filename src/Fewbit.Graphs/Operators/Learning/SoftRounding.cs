using System.Numerics;
using System.Runtime.CompilerServices;
using Fewbit.Tensors;
using Fewbit.Tensors.Kernels;

namespace Fewbit.Graphs.Operators;

/// <summary>The rectified sigmoid h(v) = clamp(1.2 · sigmoid(v) - 0.1, 0, 1) of AdaRound, its derivative, and the regularizer that drives it to 0 or 1.</summary>
/// <remarks>Louizos et al., "Learning Sparse Neural Networks through L0 Regularization", 2018, arXiv:1712.01312; Nagel et al., 2020, arXiv:2004.10568.</remarks>
internal static class SoftRounding
{
    public const float Zeta = 1.1f, Gamma = -0.1f; // the sigmoid is stretched so that 0 and 1 are reached

    /// <summary>h(v) and h'(v); the derivative counts at the ends, and is 0 beyond them.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static (Vector<float> H, Vector<float> Slope) Of(Vector<float> v)
    {
        Vector<float> sigmoid = new VectorSigmoid().Apply(v), stretched = sigmoid * (Zeta - Gamma) + new Vector<float>(Gamma);
        Vector<float> h = Vector.Min(Vector.Max(stretched, Vector<float>.Zero), Vector<float>.One);
        Vector<float> slope = Vector.BitwiseAnd(sigmoid * (Vector<float>.One - sigmoid) * (Zeta - Gamma), Vector.Equals(h, stretched).As<int, float>());
        return (h, slope);
    }

    /// <summary>h(v) and h'(v).</summary>
    public static (T H, T Slope) Of<T>(T v) where T : IFloatingPointIeee754<T>
    {
        T sigmoid = T.One / (T.One + T.Exp(-v)), width = T.CreateChecked(Zeta - Gamma), stretched = sigmoid * width + T.CreateChecked(Gamma);
        T h = T.Clamp(stretched, T.Zero, T.One);
        return (h, h == stretched ? sigmoid * (T.One - sigmoid) * width : T.Zero);
    }

    /// <summary>The v with h(v) = fraction.</summary>
    /// <param name="fraction">In [0, 1).</param>
    public static float Inverse(float fraction) => (float)-Math.Log(((double)Zeta - Gamma) / (fraction - (double)Gamma) - 1);

    /// <summary>x^p for x at and above 0, p above 0.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector<float> Power(Vector<float> x, Vector<float> p)
    {
        // The least normal number stands for 0: its powers are 0 as far as a sum can tell.
        Vector<float> log = Vector.Log(Vector.Max(x, new Vector<float>(1.17549435e-38f)));
        return new VectorExp().Apply(log * p);
    }
}

/// <summary>scale · clamp(floor + h(v), Min - zeroPoint, Max - zeroPoint): the weight while its rounding is learned.</summary>
/// <param name="Axis">Dimension of the channels.</param>
/// <param name="Min">Lowest code.</param>
/// <param name="Max">Highest code.</param>
/// <remarks>Inputs v, floor (floor(weight / scale), shape of v), scale and zeroPoint (one for each channel). The clamp comes after h, so a weight at the end of the grid stays there.</remarks>
internal sealed record SoftRoundedWeight(int Axis, float Min, float Max) : IDifferentiable
{
    public static SoftRoundedWeight Parse(Node node) => new((int)node.Int("axis", 0), node.Float("min"), node.Float("max"));

    public void Infer(InferenceContext context)
    {
        context.Node.ExpectInputs(4, 4);
        context.ExpectOneType(0, 1, 2, 3);
        context.SetOutput(0, context.InputType(0), context.InputShape(0));
    }

    public void Evaluate(EvaluationContext context) => Run(context, null, context.Output(0));

    public void Gradient(GradientContext context)
    {
        for (int i = 1; i < 4; i++) context.Node.Expect(!context.Needs(i), $"has no gradient rule for input {i}: only the rounding is learned");
        if (context.OutputGradient() is not { } gradient) return;
        context.SetInputGradient(0, context.Input(0).Apply(OperatorTable.FewbitDomain, "SoftRoundedWeightGradient",
            new() { { "axis", (long)Axis }, { "min", Min }, { "max", Max } }, context.Input(1), context.Input(2), context.Input(3), gradient));
    }

    /// <summary>The weight, or the gradient of v where one of the weight is given.</summary>
    public void Run(EvaluationContext context, Tensor? gradient, Tensor result)
    {
        Tensor v = context.Input(0);
        switch (v.Type)
        {
            case ElementType.Float32:
                Run<float>(v, context, gradient, result);
                break;
            case ElementType.Float64:
                Run<double>(v, context, gradient, result);
                break;
            default:
                throw context.Node.Fail($"does not take {v.Type.Name()}");
        }
    }

    private void Run<T>(Tensor v, EvaluationContext context, Tensor? gradient, Tensor result) where T : unmanaged, IFloatingPointIeee754<T>
    {
        ReadOnlySpan<T> floor = context.Input(1).Span<T>(), scales = context.Input(2).Span<T>(), zeroPoints = context.Input(3).Span<T>(), values = v.Span<T>();
        ReadOnlySpan<T> upstream = gradient is null ? default : gradient.Span<T>();
        Span<T> results = result.Span<T>();
        int inner = (int)v.Shape.CountOf(Axis + 1, v.Rank), rows = inner == 0 ? 0 : values.Length / inner;
        for (int row = 0; row < rows; row++)
        {
            int channel = row % scales.Length, start = row * inner;
            T low = T.CreateChecked(Min) - zeroPoints[channel], high = T.CreateChecked(Max) - zeroPoints[channel];
            ReadOnlySpan<T> part = gradient is null ? default : upstream.Slice(start, inner);
            Row(values.Slice(start, inner), floor.Slice(start, inner), scales[channel], low, high, part, results.Slice(start, inner));
        }
    }

    private static void Row<T>(ReadOnlySpan<T> v, ReadOnlySpan<T> floor, T scale, T low, T high, ReadOnlySpan<T> upstream, Span<T> result) where T : unmanaged, IFloatingPointIeee754<T>
    {
        int i = typeof(T) == typeof(float)
            ? Vectors(Cast<T>(v), Cast<T>(floor), float.CreateChecked(scale), float.CreateChecked(low), float.CreateChecked(high), Cast<T>(upstream), System.Runtime.InteropServices.MemoryMarshal.Cast<T, float>(result))
            : 0;
        for (; i < v.Length; i++)
        {
            (T h, T slope) = SoftRounding.Of(v[i]);
            T code = floor[i] + h, clamped = T.Clamp(code, low, high);
            result[i] = upstream.IsEmpty ? clamped * scale : clamped == code ? upstream[i] * scale * slope : T.Zero;
        }
    }

    private static ReadOnlySpan<float> Cast<T>(ReadOnlySpan<T> span) where T : unmanaged => System.Runtime.InteropServices.MemoryMarshal.Cast<T, float>(span);

    private static int Vectors(ReadOnlySpan<float> v, ReadOnlySpan<float> floor, float scale, float low, float high, ReadOnlySpan<float> upstream, Span<float> result)
    {
        int i = 0;
        for (; i <= v.Length - Vector<float>.Count; i += Vector<float>.Count)
        {
            (Vector<float> h, Vector<float> slope) = SoftRounding.Of(new Vector<float>(v[i..]));
            Vector<float> code = new Vector<float>(floor[i..]) + h, clamped = Vector.Min(Vector.Max(code, new Vector<float>(low)), new Vector<float>(high));
            Vector<float> value = upstream.IsEmpty ? clamped * scale
                : Vector.BitwiseAnd(new Vector<float>(upstream[i..]) * scale * slope, Vector.Equals(clamped, code).As<int, float>());
            value.CopyTo(result[i..]);
        }
        return i;
    }
}

/// <summary>The gradient of <see cref="SoftRoundedWeight"/> with respect to v. Inputs are its own and the gradient of the weight.</summary>
/// <param name="Forward">The operator that is differentiated.</param>
internal sealed record SoftRoundedWeightGradient(SoftRoundedWeight Forward) : IOperator
{
    public static SoftRoundedWeightGradient Parse(Node node) => new(SoftRoundedWeight.Parse(node));

    public void Infer(InferenceContext context)
    {
        context.Node.ExpectInputs(5, 5);
        context.SetOutput(0, context.InputType(0), context.InputShape(0));
    }

    public void Evaluate(EvaluationContext context) => Forward.Run(context, context.Input(4), context.Output(0));
}
