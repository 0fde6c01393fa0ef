using Fewbit.Graphs;
using Fewbit.Quantization;
using Fewbit.Tensors;

namespace Fewbit.Transforms;

/// <summary>Mean and variance of each channel of a value, as batch-norm statistics tell them.</summary>
/// <param name="Mean">One a channel.</param>
/// <param name="Variance">One a channel; null behind an average, which lowers it by an unknown amount.</param>
internal sealed record ChannelMoments(double[] Mean, double[]? Variance);

/// <summary>Follows batch-norm statistics through a graph. Normalized values count as normal, summands as independent.</summary>
internal sealed class MomentPropagation
{
    private readonly Dictionary<Value, ChannelMoments?> _known = [];

    /// <summary>The moments of a value; null where statistics do not reach it.</summary>
    public ChannelMoments? Of(Value value)
    {
        if (!_known.TryGetValue(value, out ChannelMoments? moments)) _known[value] = moments = value.Producer is { Domain: "" } producer ? Compute(producer) : null;
        return moments;
    }

    private ChannelMoments? Compute(Node node)
    {
        if (node.OpType is "Conv" or "ConvTranspose" or "Gemm") return node.Inputs[1]!.FoldedBatchNorm is { } norm ? new(Doubles(norm.Bias), [.. Doubles(norm.Scale).Select(gamma => gamma * gamma)]) : null;
        if (node.OpType == "Add") return Sum(Of(node.Inputs[0]!), Of(node.Inputs[1]!));
        if (node.OpType == "Concat") return node.Int("axis") == 1 ? Join([.. node.Inputs.Select(input => Of(input!))]) : null;
        return node.OpType is "Relu" or "Clip" or "LeakyRelu" or "PRelu" or "GlobalAveragePool" or "AveragePool" or "Flatten" or "Reshape" && Of(node.Inputs[0]!) is { } input ? Map(node, input) : null;
    }

    private static ChannelMoments? Map(Node node, ChannelMoments input) => node.OpType switch
    {
        "Relu" or "Clip" => OperatorRules.ClipBounds(node) is ({ } low, { } high) && low <= high ? Map(input, (mean, variance, _) => NormalMoments.Clamp(mean, variance, low, high)) : null,
        "LeakyRelu" => Map(input, (mean, variance, _) => NormalMoments.Leaky(mean, variance, node.Float("alpha", 0.01f))),
        "PRelu" => node.Input(1) is { IsConstant: true, Constant: var slope } && (slope!.ElementCount == 1 || slope.ElementCount == input.Mean.Length)
            ? Map(input, (mean, variance, c) => NormalMoments.Leaky(mean, variance, slope.Span<float>()[slope.ElementCount == 1 ? 0 : c])) : null,
        "AveragePool" when node.Ints("pads")?.Any(pad => pad != 0) == true => null,
        // Behind a GlobalAveragePool a matrix has the channels as its columns.
        "Reshape" when !(node.Inputs[0]!.Producer!.Is("GlobalAveragePool") && node.Outputs[0].Shape?.Rank == 2) => null,
        "Flatten" when node.Int("axis", 1) != 1 => null,
        _ => new(input.Mean, null),
    };

    private static ChannelMoments? Map(ChannelMoments input, Func<double, double, int, (double Mean, double Variance)> function)
    {
        if (input.Variance is not { } variance) return null;
        (double Mean, double Variance)[] results = [.. input.Mean.Select((mean, c) => function(mean, variance[c], c))];
        return new([.. results.Select(result => result.Mean)], [.. results.Select(result => result.Variance)]);
    }

    private static ChannelMoments? Sum(ChannelMoments? a, ChannelMoments? b) =>
        a is null || b is null || a.Mean.Length != b.Mean.Length ? null
        : new([.. a.Mean.Zip(b.Mean, (x, y) => x + y)], a.Variance is null || b.Variance is null ? null : [.. a.Variance.Zip(b.Variance, (x, y) => x + y)]);

    private static ChannelMoments? Join(ChannelMoments?[] parts) =>
        parts.Any(part => part?.Variance is null) ? null : new([.. parts.SelectMany(part => part!.Mean)], [.. parts.SelectMany(part => part!.Variance!)]);

    private static double[] Doubles(Tensor tensor) => Array.ConvertAll(tensor.Span<float>().ToArray(), value => (double)value);
}
