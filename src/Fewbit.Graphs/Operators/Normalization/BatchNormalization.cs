using System.Numerics;
using Fewbit.Tensors;

namespace Fewbit.Graphs.Operators;

/// <summary>ONNX BatchNormalization, opset 15: y = (x - mean) / sqrt(variance + epsilon) * scale + bias by channel of [N, C, ...].</summary>
/// <param name="Epsilon">Added to the variance.</param>
/// <param name="Momentum">Share of the old running statistics that training keeps.</param>
/// <param name="Trains">Whether mean and variance are the batch's own; outputs 1 and 2 are then the updated running statistics.</param>
internal sealed record BatchNormalization(float Epsilon, float Momentum, bool Trains) : ICompiledOperator, IInPlaceOperator, IDifferentiable
{
    public static BatchNormalization Parse(Node node) => new(node.Float("epsilon", 1e-5f), node.Float("momentum", 0.9f), node.Int("training_mode", 0) != 0);

    public void Infer(InferenceContext context)
    {
        Node node = context.Node;
        node.ExpectInputs(5, 5);
        ElementType type = node.ExpectOneFloatType(context, inputs: 1);
        SymbolicShape? x = context.InputShape(0);
        node.Expect(x is null || x.Rank >= 2, $"input has shape {x}, expected [N, C, ...]");
        string[] names = ["input", "scale", "bias", "mean", "variance"];
        for (int i = 1; i < 5; i++)
        {
            if (x is not null) node.ExpectVector(context, i, x[1], names[i]);
        }
        context.SetOutput(0, type, x);
        if (!Trains) return;
        context.SetOutput(1, context.InputType(3), context.InputShape(3));
        context.SetOutput(2, context.InputType(4), context.InputShape(4));
    }

    public void Evaluate(EvaluationContext context) => this.PrepareAndRun(context);

    public IKernel? Compile(CompilationContext context)
    {
        Shape x = context.InputShape(0);
        int batch = checked((int)x[0]), channels = checked((int)x[1]), plane = checked((int)x.CountOf(2, x.Rank));
        if (Converted.MustConvert(context)) return null;
        return context.InputType(0) switch
        {
            ElementType.Float32 when !Trains => new ChannelAffineKernel(batch, channels, plane, Epsilon),
            ElementType.Float32 => new Reference<float>(this, batch, channels, plane),
            ElementType.Float64 => new Reference<double>(this, batch, channels, plane),
            ElementType other => context.Node.NoKernel(other),
        };
    }

    /// <summary>Each element is read before its place is written, the statistics before all of them.</summary>
    public bool CanOverwrite(int index) => index == 0;

    public void Gradient(GradientContext context)
    {
        if (context.OutputGradient() is not { } gradient) return;
        Value x = context.Input(0);
        int rank = x.Shape?.Rank ?? throw context.Node.Fail("has an input of unknown rank, which its gradient rule needs");
        Value scale = context.Input(1).AsChannels(rank);
        Value mean = Trains ? x.MeanToShapeOf(scale) : context.Input(3).AsChannels(rank), centred = x - mean;
        Value variance = Trains ? (centred * centred).MeanToShapeOf(scale) : context.Input(4).AsChannels(rank);
        Value deviation = (variance + Epsilon).Apply("Sqrt"), normalized = centred / deviation;
        if (context.Needs(0))
        {
            Value inner = gradient;
            if (Trains) inner = inner - gradient.MeanToShapeOf(scale) - normalized * (gradient * normalized).MeanToShapeOf(scale);
            context.SetInputGradient(0, inner * (scale / deviation));
        }
        SetVector(context, 1, () => (gradient * normalized).SumToShapeOf(scale));
        SetVector(context, 2, () => gradient.SumToShapeOf(scale));
        if (Trains) return;
        SetVector(context, 3, () => -(gradient.SumToShapeOf(scale) * scale / deviation));
        SetVector(context, 4, () => (gradient * normalized).SumToShapeOf(scale) * scale / (variance + Epsilon) * -0.5f);
    }

    private static void SetVector(GradientContext context, int index, Func<Value> formula)
    {
        if (!context.Needs(index)) return;
        Value shape = context.Graph.AddConstant("shape", Tensor.From(-1L));
        context.SetInputGradient(index, formula().Apply("Reshape", shape));
    }

    private sealed class Reference<T>(BatchNormalization attributes, int batch, int channels, int plane) : IKernel where T : unmanaged, IBinaryFloatingPointIeee754<T>
    {
        public void Run(EvaluationContext context)
        {
            for (int channel = 0; channel < channels; channel++)
            {
                (T mean, T variance) = (context.Input(3).Span<T>()[channel], context.Input(4).Span<T>()[channel]);
                if (attributes.Trains)
                {
                    T keep = T.CreateChecked(attributes.Momentum), oldMean = mean, oldVariance = variance;
                    (mean, variance) = Statistics(context.Input(0).Span<T>(), channel);
                    if (context.HasOutput(1)) context.Output(1).Span<T>()[channel] = oldMean * keep + mean * (T.One - keep);
                    if (context.HasOutput(2)) context.Output(2).Span<T>()[channel] = oldVariance * keep + variance * (T.One - keep);
                }
                T factor = context.Input(1).Span<T>()[channel] / T.Sqrt(variance + T.CreateChecked(attributes.Epsilon)), bias = context.Input(2).Span<T>()[channel];
                for (int n = 0; n < batch; n++)
                {
                    int start = (n * channels + channel) * plane;
                    Span<T> x = context.Input(0).Span<T>().Slice(start, plane), y = context.Output(0).Span<T>().Slice(start, plane);
                    for (int i = 0; i < plane; i++) y[i] = (x[i] - mean) * factor + bias;
                }
            }
        }

        private (T Mean, T Variance) Statistics(ReadOnlySpan<T> x, int channel)
        {
            T count = T.CreateChecked(batch * plane), sum = T.Zero, squares = T.Zero;
            for (int n = 0; n < batch; n++)
            {
                foreach (T value in x.Slice((n * channels + channel) * plane, plane)) sum += value;
            }
            T mean = sum / count;
            for (int n = 0; n < batch; n++)
            {
                foreach (T value in x.Slice((n * channels + channel) * plane, plane)) squares += (value - mean) * (value - mean);
            }
            return (mean, squares / count);
        }
    }
}
