using Fewbit.Graphs;
using Fewbit.Quantization;
using Fewbit.Tensors;

namespace Fewbit.Transforms;

/// <summary>Which output and input channel each part of a Conv's or Gemm's weight belongs to: dimensions 0 and 1 name the part, the rest lies within it.</summary>
internal sealed class LayerChannels
{
    private readonly bool _isOutputFirst;
    private readonly int _outputsPerGroup;

    public LayerChannels(Node node)
    {
        Node = node;
        Shape shape = Weight.Shape;
        (First, Second, Inner) = ((int)shape[0], (int)shape[1], (int)shape.CountOf(2, shape.Rank));
        _isOutputFirst = OperatorRules.ChannelAxis(node) == 0;
        int groups = node.Is("Conv") ? (int)node.Int("group", 1) : 1;
        (Outputs, Inputs) = _isOutputFirst ? (First, Second * groups) : (Second, First);
        _outputsPerGroup = Outputs / groups;
    }

    public Node Node { get; }

    public Tensor Weight => Node.Inputs[1]!.Constant!;

    public Tensor? Bias => Node.Input(2)?.Constant;

    /// <summary>Length of dimension 0.</summary>
    public int First { get; }

    /// <summary>Length of dimension 1.</summary>
    public int Second { get; }

    /// <summary>Weights of one part.</summary>
    public int Inner { get; }

    public int Outputs { get; }

    public int Inputs { get; }

    /// <summary>True for a Conv or Gemm whose weight and bias are constants that fit together, and whose weight nothing else reads.</summary>
    public static bool AreKnown(Node node) =>
        (node.Is("Conv") || node.Is("Gemm")) && OperatorRules.Classify(node).Role == NodeRole.Compute && OperatorRules.WeightOf(node) is { Uses.Count: 1, IsOutput: false };

    public (int Output, int Input) Of(int first, int second) =>
        _isOutputFirst ? (first, first / _outputsPerGroup * Second + second) : (second, first);

    /// <summary>For each output channel, the sum over the weights of f(input channel) * weight.</summary>
    /// <param name="weight">Numbers of the weight's shape.</param>
    /// <param name="inputs">One number an input channel.</param>
    public double[] Product(ReadOnlySpan<float> weight, double[] inputs)
    {
        var sums = new double[Outputs];
        for (int part = 0; part < First * Second; part++)
        {
            (int output, int input) = Of(part / Second, part % Second);
            double sum = 0;
            foreach (float value in weight.Slice(part * Inner, Inner)) sum += value;
            sums[output] += sum * inputs[input];
        }
        return sums;
    }

    /// <summary>Gives the node a bias of its own.</summary>
    public static void SetBias(Node node, Tensor bias)
    {
        if (node.Input(2) is { Uses.Count: 1, IsOutput: false } old && old.Graph == node.Graph) old.SetConstant(bias);
        else node.SetInput(2, node.Graph.AddConstant(node.Graph.UniqueName(node.Input(2)?.Name ?? $"{node.Name}/bias"), bias));
    }

    /// <summary>Adds to the bias, which is 0 where the node has none.</summary>
    public static Tensor Added(Tensor? bias, double[] change)
    {
        var sum = new float[change.Length];
        for (int c = 0; c < sum.Length; c++) sum[c] = (float)((bias is null ? 0 : bias.Span<float>()[c]) + change[c]);
        return Tensor.From<float>(sum);
    }
}
