using System.Numerics;
using Fewbit.Tensors;

namespace Fewbit.Graphs.Operators;

/// <summary>weight · sum(1 - |2h(v) - 1|^beta): 0 where every h is 0 or 1. Inputs v and [beta, weight].</summary>
/// <remarks>Nagel et al., "Up or Down? Adaptive Rounding for Post-Training Quantization", 2020, arXiv:2004.10568.</remarks>
internal sealed record RoundingRegularizer : IDifferentiable
{
    public void Infer(InferenceContext context)
    {
        context.Node.ExpectInputs(2, 2);
        context.ExpectOneType(0, 1);
        context.SetOutput(0, context.InputType(0), []);
    }

    public void Evaluate(EvaluationContext context)
    {
        Tensor v = context.Input(0);
        if (v.Type == ElementType.Float32) context.Output(0).Span<float>()[0] = Sum(v.Span<float>(), context.Input(1).Span<float>());
        else if (v.Type == ElementType.Float64) context.Output(0).Span<double>()[0] = Sum<double>(v.Span<double>(), context.Input(1).Span<double>(), 0);
        else throw context.Node.Fail($"does not take {v.Type.Name()}");
    }

    public void Gradient(GradientContext context)
    {
        if (!context.Needs(0) || context.OutputGradient() is not { } gradient) return;
        context.SetInputGradient(0, context.Input(0).Apply(OperatorTable.FewbitDomain, "RoundingRegularizerGradient", null, context.Input(1), gradient));
    }

    private static float Sum(ReadOnlySpan<float> v, ReadOnlySpan<float> schedule)
    {
        if (schedule[1] == 0) return 0;
        Vector<float> sum = Vector<float>.Zero, beta = new(schedule[0]);
        int i = 0;
        for (; i <= v.Length - Vector<float>.Count; i += Vector<float>.Count)
        {
            Vector<float> h = SoftRounding.Of(new Vector<float>(v[i..])).H;
            sum += Vector<float>.One - SoftRounding.Power(Vector.Abs(h + h - Vector<float>.One), beta);
        }
        return schedule[1] * Vector.Sum(sum) + Sum(v, schedule, i);
    }

    /// <summary>The reference, and the path of gradient checks.</summary>
    internal static T Sum<T>(ReadOnlySpan<T> v, ReadOnlySpan<T> schedule, int start) where T : unmanaged, IFloatingPointIeee754<T>
    {
        T sum = T.Zero;
        for (int i = start; i < v.Length; i++) sum += T.One - T.Pow(T.Abs(T.CreateChecked(2) * SoftRounding.Of(v[i]).H - T.One), schedule[0]);
        return schedule[1] * sum;
    }
}

/// <summary>The gradient of <see cref="RoundingRegularizer"/> with respect to v. Inputs v, [beta, weight] and the gradient of the sum.</summary>
internal sealed record RoundingRegularizerGradient : IOperator
{
    public void Infer(InferenceContext context)
    {
        context.Node.ExpectInputs(3, 3);
        context.SetOutput(0, context.InputType(0), context.InputShape(0));
    }

    public void Evaluate(EvaluationContext context)
    {
        Tensor v = context.Input(0);
        if (v.Type == ElementType.Float32) Run(v.Span<float>(), context.Input(1).Span<float>(), context.Input(2).Item<float>(), context.Output(0).Span<float>());
        else if (v.Type == ElementType.Float64) Run(v.Span<double>(), context.Input(1).Span<double>(), context.Input(2).Item<double>(), context.Output(0).Span<double>(), 0);
        else throw context.Node.Fail($"does not take {v.Type.Name()}");
    }

    private static void Run(ReadOnlySpan<float> v, ReadOnlySpan<float> schedule, float upstream, Span<float> result)
    {
        // Until the regularizer sets in there is nothing to compute.
        if (schedule[1] == 0)
        {
            result.Clear();
            return;
        }
        Vector<float> exponent = new(schedule[0] - 1), factor = new(-2 * schedule[0] * schedule[1] * upstream);
        int i = 0;
        for (; i <= v.Length - Vector<float>.Count; i += Vector<float>.Count)
        {
            (Vector<float> h, Vector<float> slope) = SoftRounding.Of(new Vector<float>(v[i..]));
            Vector<float> distance = h + h - Vector<float>.One;
            (Vector.CopySign(SoftRounding.Power(Vector.Abs(distance), exponent), distance) * factor * slope).CopyTo(result[i..]);
        }
        Run<float>(v, schedule, upstream, result, i);
    }

    /// <summary>The reference, and the path of gradient checks.</summary>
    internal static void Run<T>(ReadOnlySpan<T> v, ReadOnlySpan<T> schedule, T upstream, Span<T> result, int start) where T : unmanaged, IFloatingPointIeee754<T>
    {
        T two = T.CreateChecked(2);
        for (int i = start; i < v.Length; i++)
        {
            (T h, T slope) = SoftRounding.Of(v[i]);
            T distance = two * h - T.One;
            result[i] = -two * schedule[0] * schedule[1] * upstream * T.CopySign(T.Pow(T.Abs(distance), schedule[0] - T.One), distance) * slope;
        }
    }
}
