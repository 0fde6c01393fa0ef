using System.Numerics;
using Fewbit.Tensors;
using Fewbit.Tensors.Kernels;

namespace Fewbit.Graphs.Operators;

/// <summary>
/// ai.fewbit BatchNormalizationTraining(x, scale, bias, running mean, running variance, optional residual): y = activation((x - mean) / sqrt(variance + epsilon) * scale + bias + residual)
/// with mean and variance of the batch by channel of [N, C, ...]; outputs y, both running statistics anew, the batch's mean, and 1 / sqrt(variance + epsilon).
/// </summary>
/// <param name="Epsilon">Added to the variance.</param>
/// <param name="Momentum">Share of the old running statistics that is kept.</param>
/// <param name="Activation">None, Relu or Clip.</param>
/// <remarks>
/// Ioffe and Szegedy, "Batch Normalization", 2015, arXiv:1502.03167. The running variance takes the unbiased estimate (divided by n - 1), as PyTorch does; ONNX's training_mode takes the biased one.
/// </remarks>
internal sealed record BatchNormalizationTraining(float Epsilon, float Momentum, Activation Activation) : ICompiledOperator, IInPlaceOperator, IUpdateOperator, IDifferentiable
{
    public const int Residual = 5, BatchMean = 3, InverseDeviation = 4;

    public static BatchNormalizationTraining Parse(Node node)
    {
        var norm = new BatchNormalizationTraining(node.Float("epsilon", 1e-5f), node.Float("momentum", 0.9f), FusedActivation.Parse(node));
        node.Expect(IsClamp(norm.Activation), $"activation is {norm.Activation.Kind}, expected none, relu or clip");
        return norm;
    }

    /// <summary>True for the activations that limit to a range.</summary>
    public static bool IsClamp(Activation activation) => activation.Kind is ActivationKind.None or ActivationKind.Relu or ActivationKind.Clip;

    /// <summary>The range that an activation limits to.</summary>
    public static (float Low, float High) Range(Activation activation) => activation.Kind switch
    {
        ActivationKind.Relu => (0, float.PositiveInfinity),
        ActivationKind.Clip => (activation.Low, activation.High),
        _ => (float.NegativeInfinity, float.PositiveInfinity),
    };

    public void Infer(InferenceContext context)
    {
        Node node = context.Node;
        node.ExpectInputs(5, 6);
        ElementType type = node.ExpectOneFloatType(context, inputs: 6);
        SymbolicShape? x = context.InputShape(0);
        node.Expect(x is null || x.Rank >= 2, $"input has shape {x}, expected [N, C, ...]");
        string[] names = ["input", "scale", "bias", "mean", "variance"];
        for (int i = 1; i < names.Length; i++)
        {
            if (x is not null) node.ExpectVector(context, i, x[1], names[i]);
        }
        if (context.HasInput(Residual) && context.InputShape(Residual) is { } residual && x is not null)
            node.Expect(residual.Rank == x.Rank && Enumerable.Range(0, x.Rank).All(axis => residual[axis].MayEqual(x[axis])), $"residual has shape {residual}, expected {x}");
        context.SetOutput(0, type, x);
        for (int output = 1; output < 5; output++) context.SetOutput(output, type, context.InputShape(output <= 2 ? output + 2 : 1));
    }

    public void Evaluate(EvaluationContext context) => this.PrepareAndRun(context);

    public IKernel? Compile(CompilationContext context)
    {
        ChannelRuns runs = ChannelRuns.Of(context.InputShape(0), context.Node.Inputs[0]!.Layout);
        context.Node.Expect(runs.Count > 0 || runs.Channels == 0, $"input has shape {context.InputShape(0)}: an empty channel has neither mean nor variance");
        return context.InputType(0) switch
        {
            ElementType.Float32 => new BatchNormalizationTrainingKernel(this, runs),
            ElementType.Float64 => new Reference<double>(this, runs),
            ElementType other => context.Node.NoKernel(other),
        };
    }

    public bool CanOverwrite(int index) => index is 0 or Residual;

    public int UpdatedInput(int output) => output is 1 or 2 ? output + 2 : -1;

    public void Gradient(GradientContext context)
    {
        if (context.OutputGradient() is not { } gradient) return;
        Node node = context.Node;
        AddStatistics(node);
        bool hasResidual = node.Input(Residual) is not null, isMasked = Activation.Kind != ActivationKind.None;
        var attributes = new Attributes { { "epsilon", Epsilon } };
        FusedActivation.Write(Activation, attributes);
        // Without a residual the mask follows from x: the output need not be read again.
        Value?[] inputs = [gradient, context.Input(0), context.Input(1), context.Input(2), node.Outputs[BatchMean], node.Outputs[InverseDeviation], hasResidual && isMasked ? node.Outputs[0] : null];
        int outputs = hasResidual && isMasked ? 4 : 3;
        Node result = context.Graph.InsertNode(context.Graph.Nodes.Count, OperatorTable.FewbitDomain, "BatchNormalizationGradient", inputs, attributes, outputs);
        for (int i = 0; i < 3; i++)
        {
            if (context.Needs(i)) context.SetInputGradient(i, result.Outputs[i]);
        }
        if (context.Needs(Residual)) context.SetInputGradient(Residual, isMasked ? result.Outputs[3] : gradient);
    }

    /// <summary>The gradient reads the batch's statistics, which a node may have left out.</summary>
    private static void AddStatistics(Node node)
    {
        if (node.Outputs.Count > InverseDeviation) return;
        while (node.Outputs.Count <= InverseDeviation) node.AddOutput(node.Graph.AddValue(node.Graph.UniqueName($"{node.Name}/statistics")));
        Inference.InferNode(node);
    }

    /// <summary>The definition, element by element.</summary>
    internal sealed class Reference<T>(BatchNormalizationTraining norm, ChannelRuns runs) : IKernel where T : unmanaged, IBinaryFloatingPointIeee754<T>
    {
        public void Run(EvaluationContext context)
        {
            Span<T> x = context.Input(0).Span<T>(), y = context.Output(0).Span<T>(), residual = context.FindInput(Residual) is { } given ? given.Span<T>() : default;
            for (int channel = 0; channel < runs.Channels; channel++)
            {
                (T mean, T variance) = Statistics(x, channel);
                T inverse = T.One / T.Sqrt(variance + T.CreateChecked(norm.Epsilon)), factor = context.Input(1).Span<T>()[channel] * inverse;
                WriteStatistics(context, channel, mean, variance, inverse);
                for (int n = 0; n < runs.Images; n++)
                {
                    int start = (int)runs.Offset(n, channel);
                    for (int i = start; i < start + runs.Plane; i++)
                    {
                        T value = (x[i] - mean) * factor + context.Input(2).Span<T>()[channel] + (residual.IsEmpty ? T.Zero : residual[i]);
                        y[i] = FusedActivation.Apply(norm.Activation, value);
                    }
                }
            }
        }

        private void WriteStatistics(EvaluationContext context, int channel, T mean, T variance, T inverse)
        {
            T keep = T.CreateChecked(norm.Momentum), unbiased = variance * T.CreateChecked(runs.Count / Math.Max(1.0, runs.Count - 1));
            (T oldMean, T oldVariance) = (context.Input(3).Span<T>()[channel], context.Input(4).Span<T>()[channel]);
            T[] statistics = [oldMean * keep + mean * (T.One - keep), oldVariance * keep + unbiased * (T.One - keep), mean, inverse];
            for (int output = 1; output <= statistics.Length; output++)
            {
                if (context.HasOutput(output)) context.Output(output).Span<T>()[channel] = statistics[output - 1];
            }
        }

        private (T Mean, T Variance) Statistics(ReadOnlySpan<T> x, int channel)
        {
            T count = T.CreateChecked(runs.Count), sum = T.Zero, squares = T.Zero;
            for (int n = 0; n < runs.Images; n++)
            {
                foreach (T value in x.Slice((int)runs.Offset(n, channel), runs.Plane)) sum += value;
            }
            T mean = sum / count;
            for (int n = 0; n < runs.Images; n++)
            {
                foreach (T value in x.Slice((int)runs.Offset(n, channel), runs.Plane)) squares += (value - mean) * (value - mean);
            }
            return (mean, squares / count);
        }
    }
}
