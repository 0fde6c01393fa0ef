using Fewbit.Tensors;

namespace Fewbit.Graphs.Passes;

/// <summary>Folds a BatchNormalization into the weight and bias of the Conv, ConvTranspose or Gemm before it.</summary>
/// <remarks>
/// w' = w * gamma / sqrt(variance + epsilon), b' = (b - mean) * gamma / sqrt(variance + epsilon) + beta, computed in double precision.
/// The new weight carries what was folded (<see cref="Value.FoldedBatchNorm"/>); the node takes over the normalization's output value with its name.
/// </remarks>
public sealed class FoldBatchNorm : IPass
{
    /// <inheritdoc/>
    public string Name => "fold batch normalization";

    /// <summary>Whether the new weight carries what was folded; a graph that only runs need not keep two copies of its weights. Default: true.</summary>
    public bool KeepsOriginal { get; init; } = true;

    /// <inheritdoc/>
    public PassReport Run(Graph graph)
    {
        var report = new PassReport(Name);
        foreach (Node norm in graph.Nodes.Where(node => node.Is("BatchNormalization")).ToArray())
        {
            Node? target = norm.Input(0)?.Producer;
            if (Obstacle(norm, target) is { } reason) report.Skip(norm, reason);
            else
            {
                report.Change(norm, $"folded into {target}");
                Fold(norm, target!);
            }
        }
        graph.RemoveUnusedValues();
        return report;
    }

    private static string? Obstacle(Node norm, Node? target)
    {
        if (target is null || !(target.Is("Conv") || target.Is("ConvTranspose") || target.Is("Gemm"))) return $"it follows {target?.ToString() ?? "no node"}, not a Conv, ConvTranspose or Gemm";
        if (norm.Int("training_mode", 0) != 0) return "it is in training mode";
        if (target.Outputs[0].Uses.Count > 1 || target.Outputs[0].IsOutput) return $"the output of {target} is read elsewhere too";
        for (int i = 1; i < 5; i++)
        {
            if (norm.Input(i) is not { IsConstant: true, Type: ElementType.Float32 }) return $"its input {i} is not a float32 constant";
        }
        if (target.Input(1) is not { IsConstant: true, Type: ElementType.Float32 } weight) return $"the weight of {target} is not a float32 constant";
        if (target.Input(2) is { } bias && bias is not { IsConstant: true, Type: ElementType.Float32 }) return $"the bias of {target} is not a float32 constant";
        if (!target.Is("Gemm")) return null;
        if (target.Float("beta", 1) != 1 && target.Input(2) is not null) return $"{target} has beta {target.Float("beta", 1)}, expected 1";
        return target.Input(2)?.Constant is { } addend && addend.ElementCount != 1 && addend.ElementCount != norm.Input(1)!.Constant!.ElementCount ? $"{target} adds a matrix" : weight.Constant!.Rank == 2 ? null : "its weight is no matrix";
    }

    private void Fold(Node norm, Node target)
    {
        Tensor Parameter(int index) => norm.Input(index)!.Constant!;
        (Tensor scale, Tensor beta, Tensor mean, Tensor variance) = (Parameter(1), Parameter(2), Parameter(3), Parameter(4));
        float epsilon = norm.Float("epsilon", 1e-5f);
        var factors = new double[scale.ElementCount];
        for (int c = 0; c < factors.Length; c++) factors[c] = scale.Span<float>()[c] / Math.Sqrt((double)variance.Span<float>()[c] + epsilon);
        Tensor weight = target.Input(1)!.Constant!;
        Value folded = ReplaceConstant(target, 1, Scale(weight, factors, ChannelOf(target, weight.Shape)), "weight");
        if (KeepsOriginal) folded.FoldedBatchNorm = new(norm.Name, scale, beta, mean, variance, epsilon, weight);
        ReplaceConstant(target, 2, Bias(target.Input(2)?.Constant, factors, beta, mean), "bias");
        Value output = norm.Outputs[0];
        norm.Graph.Remove(norm);
        target.ReplaceOutputAt(0, output);
    }

    private static Tensor Scale(Tensor weight, double[] factors, Func<long, long> channelOf)
    {
        Tensor result = Tensor.AllocateUninitialized(ElementType.Float32, weight.Shape);
        Span<float> from = weight.Span<float>(), to = result.Span<float>();
        for (int i = 0; i < to.Length; i++) to[i] = (float)(from[i] * factors[channelOf(i)]);
        return result;
    }

    private static Tensor Bias(Tensor? bias, double[] factors, Tensor beta, Tensor mean)
    {
        var result = new float[factors.Length];
        for (int c = 0; c < result.Length; c++)
        {
            double old = bias is null ? 0 : bias.Span<float>()[bias.ElementCount == 1 ? 0 : c];
            result[c] = (float)((old - mean.Span<float>()[c]) * factors[c] + beta.Span<float>()[c]);
        }
        return Tensor.From<float>(result);
    }

    /// <summary>The output channel that an element of the weight belongs to.</summary>
    private static Func<long, long> ChannelOf(Node target, Shape weight)
    {
        long[] strides = weight.Strides();
        if (target.Is("Conv")) return i => i / strides[0];
        if (target.Is("Gemm")) return target.Int("transB", 0) != 0 ? i => i / strides[0] : i => i % weight[1];
        long perGroup = weight[0] / target.Int("group", 1);
        return i => i / strides[0] / perGroup * weight[1] + i / strides[1] % weight[1];
    }

    /// <summary>A constant that nothing else reads keeps its name.</summary>
    private static Value ReplaceConstant(Node node, int index, Tensor tensor, string role)
    {
        if (node.Input(index) is { } old && old.Uses.Count == 1 && old.Graph == node.Graph && !old.IsOutput)
        {
            old.SetConstant(tensor);
            return old;
        }
        Value added = node.Graph.AddConstant($"{node.Input(index)?.Name ?? $"{node.Name}/{role}"}", tensor);
        node.SetInput(index, added);
        return added;
    }
}
