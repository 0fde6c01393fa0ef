using System.Numerics;
using Fewbit.Tensors;

namespace Fewbit.Graphs.Operators;

/// <summary>low + h(v) · width: a weight between two neighbours of any number format while its rounding is learned. Inputs v, low and width, of one shape.</summary>
/// <remarks>What <see cref="SoftRoundedWeight"/> is to integers with one scale a channel. The width of a weight beyond the end of a format is 0: it stays there.</remarks>
internal sealed record SoftBetween : IDifferentiable
{
    public void Infer(InferenceContext context)
    {
        context.Node.ExpectInputs(3, 3);
        context.ExpectOneType(0, 1, 2);
        context.SetOutput(0, context.InputType(0), context.InputShape(0));
    }

    public void Evaluate(EvaluationContext context)
    {
        Tensor v = context.Input(0), low = context.Input(1), width = context.Input(2), result = context.Output(0);
        if (v.Type == ElementType.Float32) Run(v.Span<float>(), low.Span<float>(), width.Span<float>(), result.Span<float>());
        else if (v.Type == ElementType.Float64) Run<double>(v.Span<double>(), low.Span<double>(), width.Span<double>(), result.Span<double>(), 0);
        else throw context.Node.Fail($"does not take {v.Type.Name()}");
    }

    public void Gradient(GradientContext context)
    {
        for (int i = 1; i < 3; i++) context.Node.Expect(!context.Needs(i), $"has no gradient rule for input {i}: only the rounding is learned");
        if (context.OutputGradient() is not { } gradient) return;
        context.SetInputGradient(0, context.Input(0).Apply(OperatorTable.FewbitDomain, "SoftBetweenGradient", null, context.Input(2), gradient));
    }

    private static void Run(ReadOnlySpan<float> v, ReadOnlySpan<float> low, ReadOnlySpan<float> width, Span<float> result)
    {
        int i = 0;
        for (; i <= v.Length - Vector<float>.Count; i += Vector<float>.Count)
            (new Vector<float>(low[i..]) + SoftRounding.Of(new Vector<float>(v[i..])).H * new Vector<float>(width[i..])).CopyTo(result[i..]);
        Run<float>(v, low, width, result, i);
    }

    /// <summary>The reference, and the path of gradient checks.</summary>
    private static void Run<T>(ReadOnlySpan<T> v, ReadOnlySpan<T> low, ReadOnlySpan<T> width, Span<T> result, int start) where T : unmanaged, IFloatingPointIeee754<T>
    {
        for (int i = start; i < v.Length; i++) result[i] = low[i] + SoftRounding.Of(v[i]).H * width[i];
    }
}

/// <summary>The gradient of <see cref="SoftBetween"/> with respect to v. Inputs v, width and the gradient of the weight.</summary>
internal sealed record SoftBetweenGradient : IOperator
{
    public void Infer(InferenceContext context)
    {
        context.Node.ExpectInputs(3, 3);
        context.SetOutput(0, context.InputType(0), context.InputShape(0));
    }

    public void Evaluate(EvaluationContext context)
    {
        Tensor v = context.Input(0), width = context.Input(1), gradient = context.Input(2), result = context.Output(0);
        if (v.Type == ElementType.Float32) Run(v.Span<float>(), width.Span<float>(), gradient.Span<float>(), result.Span<float>());
        else if (v.Type == ElementType.Float64) Run<double>(v.Span<double>(), width.Span<double>(), gradient.Span<double>(), result.Span<double>(), 0);
        else throw context.Node.Fail($"does not take {v.Type.Name()}");
    }

    private static void Run(ReadOnlySpan<float> v, ReadOnlySpan<float> width, ReadOnlySpan<float> gradient, Span<float> result)
    {
        int i = 0;
        for (; i <= v.Length - Vector<float>.Count; i += Vector<float>.Count)
            (new Vector<float>(gradient[i..]) * new Vector<float>(width[i..]) * SoftRounding.Of(new Vector<float>(v[i..])).Slope).CopyTo(result[i..]);
        Run<float>(v, width, gradient, result, i);
    }

    /// <summary>The reference, and the path of gradient checks.</summary>
    private static void Run<T>(ReadOnlySpan<T> v, ReadOnlySpan<T> width, ReadOnlySpan<T> gradient, Span<T> result, int start) where T : unmanaged, IFloatingPointIeee754<T>
    {
        for (int i = start; i < v.Length; i++) result[i] = gradient[i] * width[i] * SoftRounding.Of(v[i]).Slope;
    }
}
