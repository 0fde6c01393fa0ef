using System.Numerics;
using Fewbit.Tensors;
using Fewbit.Tensors.Kernels;

namespace Fewbit.Graphs.Operators;

/// <summary>
/// ai.fewbit BatchNormalizationGradient(dy, x, scale, bias, batch mean, 1 / deviation, optional y): gradients of <see cref="BatchNormalizationTraining"/>:
/// of x, of scale, of bias, and as output 3 the gradient behind the activation, which is that of the residual.
/// </summary>
/// <param name="Epsilon">Added to the variance.</param>
/// <param name="Activation">None, Relu or Clip; the gradient passes strictly inside its range. Where y is left out it is computed anew from x (there was no residual then).</param>
internal sealed record BatchNormalizationGradient(float Epsilon, Activation Activation) : ICompiledOperator, IInPlaceOperator, IDifferentiable
{
    public const int Output = 6, ResidualGradient = 3;

    public static BatchNormalizationGradient Parse(Node node)
    {
        var gradient = new BatchNormalizationGradient(node.Float("epsilon", 1e-5f), FusedActivation.Parse(node));
        node.Expect(BatchNormalizationTraining.IsClamp(gradient.Activation), $"activation is {gradient.Activation.Kind}, expected none, relu or clip");
        return gradient;
    }

    public void Infer(InferenceContext context)
    {
        context.Node.ExpectInputs(6, 7);
        ElementType type = context.Node.ExpectOneFloatType(context, inputs: 7);
        context.SetOutput(0, type, context.InputShape(1));
        context.SetOutput(1, type, context.InputShape(2));
        context.SetOutput(2, type, context.InputShape(2));
        context.SetOutput(ResidualGradient, type, context.InputShape(1));
    }

    public void Evaluate(EvaluationContext context) => this.PrepareAndRun(context);

    public IKernel? Compile(CompilationContext context)
    {
        ChannelRuns runs = ChannelRuns.Of(context.InputShape(1), context.Node.Inputs[1]!.Layout);
        return context.InputType(0) switch
        {
            ElementType.Float32 => new BatchNormalizationGradientKernel(this, runs),
            ElementType.Float64 => new Reference<double>(this, runs),
            ElementType other => context.Node.NoKernel(other),
        };
    }

    /// <summary>An element of dy, x and y is read for the last time where its gradient is written; with a fourth output the masked gradient needs a place of its own.</summary>
    public bool CanOverwrite(int index) => index is 0 or 1;

    /// <summary>By a formula of simple operators, in which the statistics are computed from x anew, so that their dependence on x counts.</summary>
    public void Gradient(GradientContext context) => context.DifferentiateFormula([0, 1, 2], inputs =>
    {
        (Value dy, Value x, Value scale) = (inputs[0], inputs[1], inputs[2]);
        int rank = x.Shape?.Rank ?? throw context.Node.Fail("has an input of unknown rank, which its gradient rule needs");
        scale = scale.AsChannels(rank);
        Value centred = x - x.MeanToShapeOf(scale), deviation = ((centred * centred).MeanToShapeOf(scale) + Epsilon).Apply("Sqrt"), normalized = centred / deviation;
        if (Activation.Kind != ActivationKind.None)
        {
            (float low, float high) = BatchNormalizationTraining.Range(Activation);
            Value y = context.Node.Input(Output) ?? normalized * scale + context.Input(3).AsChannels(rank);
            dy = y.Apply("Greater", y.Scalar(low)).Apply("And", y.Apply("Less", y.Scalar(high))).Apply("Where", dy, dy.Scalar(0));
        }
        Value dx = (dy - dy.MeanToShapeOf(scale) - normalized * (dy * normalized).MeanToShapeOf(scale)) * (scale / deviation), flat = x.Graph.AddConstant("shape", Tensor.From(-1L));
        return [dx, (dy * normalized).SumToShapeOf(scale).Apply("Reshape", flat), dy.SumToShapeOf(scale).Apply("Reshape", flat), dy];
    });

    /// <summary>The definition, element by element.</summary>
    internal sealed class Reference<T>(BatchNormalizationGradient settings, ChannelRuns runs) : IKernel where T : unmanaged, IBinaryFloatingPointIeee754<T>
    {
        public void Run(EvaluationContext context)
        {
            for (int channel = 0; channel < runs.Channels; channel++) RunChannel(context, channel);
        }

        private void RunChannel(EvaluationContext context, int channel)
        {
            Span<T> x = context.Input(1).Span<T>(), dx = context.Output(0).Span<T>(), masked = context.HasOutput(ResidualGradient) ? context.Output(ResidualGradient).Span<T>() : default;
            T mean = context.Input(4).Span<T>()[channel], inverse = context.Input(5).Span<T>()[channel], factor = context.Input(2).Span<T>()[channel] * inverse;
            T sum = T.Zero, product = T.Zero, count = T.CreateChecked(runs.Count);
            for (int n = 0; n < runs.Images; n++)
            {
                int start = (int)runs.Offset(n, channel);
                for (int i = start; i < start + runs.Plane; i++)
                {
                    T gradient = Masked(context, i, channel);
                    (sum, product) = (sum + gradient, product + gradient * (x[i] - mean) * inverse);
                }
            }
            for (int n = 0; n < runs.Images; n++)
            {
                int start = (int)runs.Offset(n, channel);
                for (int i = start; i < start + runs.Plane; i++)
                {
                    T gradient = Masked(context, i, channel);
                    if (!masked.IsEmpty) masked[i] = gradient;
                    dx[i] = factor * (gradient - sum / count - (x[i] - mean) * inverse * product / count);
                }
            }
            if (context.HasOutput(1)) context.Output(1).Span<T>()[channel] = product;
            if (context.HasOutput(2)) context.Output(2).Span<T>()[channel] = sum;
        }

        private T Masked(EvaluationContext context, int i, int channel)
        {
            T dy = context.Input(0).Span<T>()[i];
            if (settings.Activation.Kind == ActivationKind.None) return dy;
            (float low, float high) = BatchNormalizationTraining.Range(settings.Activation);
            T y = context.FindInput(Output) is { } given ? given.Span<T>()[i]
                : (context.Input(1).Span<T>()[i] - context.Input(4).Span<T>()[channel]) * context.Input(5).Span<T>()[channel] * context.Input(2).Span<T>()[channel] + context.Input(3).Span<T>()[channel];
            return y > T.CreateChecked(low) && y < T.CreateChecked(high) ? dy : T.Zero;
        }
    }
}
