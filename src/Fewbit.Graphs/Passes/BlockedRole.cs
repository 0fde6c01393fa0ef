using Fewbit.Graphs.Operators;
using Fewbit.Tensors;
using Fewbit.Tensors.Kernels;

namespace Fewbit.Graphs.Passes;

/// <summary>What a node reads and writes in blocks of channels.</summary>
/// <param name="BlockedInputs">Numbers of the inputs that it reads in blocks.</param>
/// <param name="BlockedOutputs">Numbers of the outputs that it writes in blocks; the others are row-major.</param>
internal sealed record BlockedRole(IReadOnlyList<int> BlockedInputs, IReadOnlyList<int> BlockedOutputs)
{
    // Functions that are finite at 0, so that the channels which fill up the last block stay finite.
    private static readonly HashSet<string> ElementFunctions =
    [
        "Relu", "LeakyRelu", "Clip", "HardSigmoid", "HardSwish", "Sigmoid", "Tanh", "Elu", "Selu", "Celu", "Softplus", "Softsign", "Mish", "Swish", "Gelu", "Erf", "Abs", "Neg",
    ];

    public bool Reads(int input) => BlockedInputs.Contains(input);

    public bool Writes(Value value) => BlockedOutputs.Any(output => value.Producer!.Outputs[output] == value);

    /// <summary>The role of a convolution, or of one of its gradients, that a blocked kernel computes; null for any other node.</summary>
    public static BlockedRole? OfConvolution(Node node, Conv2DShape shape, Predicate<Value> isBlocked)
    {
        if (node.Operator is ConvBackwardData) return BlockedConvBackwardData.Fits(shape) ? new(Present(node, 0, 3), [0]) : null;
        if (node.Operator is ConvBackwardWeights) return OfWeights(node, shape, isBlocked);
        bool readsPlanes = !isBlocked(node.Inputs[0]!) && PlanarBlockedConv2D.Fits(shape);
        return !readsPlanes && !BlockedConv2D.Fits(shape) ? null : new(readsPlanes ? Present(node, 3) : Present(node, 0, 3), [0]);
    }

    /// <summary>Both operands in blocks; or, of a first convolution, a few planes and the output's gradient in blocks.</summary>
    private static BlockedRole? OfWeights(Node node, Conv2DShape shape, Predicate<Value> isBlocked)
    {
        if (isBlocked(node.Inputs[0]!)) return BlockedConvBackwardWeights.Fits(shape) ? new([0, 1], []) : null;
        return isBlocked(node.Inputs[1]!) && PlanarConvBackwardWeights.Fits(shape) ? new([1], []) : null;
    }

    /// <summary>The role of a node that computes on whatever layout reaches it, where blocks reach it; null otherwise.</summary>
    public static BlockedRole? OfFollower(Node node, Predicate<Value> isBlocked)
    {
        bool Blocked(int input) => node.Input(input) is { } value && isBlocked(value);
        if (node.Domain == OperatorTable.FewbitDomain && node.OpType is "PowerLoss" or "PowerLossGradient") return OfPowerLoss(node, isBlocked);
        if (node.Outputs.Count == 0 || node.Outputs[0] is not { Type: ElementType.Float32, Shape.Rank: 4 } output) return null;
        if (node.Domain == OperatorTable.FewbitDomain) return OfTraining(node, Blocked);
        if (node.Domain.Length > 0 || node.Outputs.Count != 1) return null;
        return node.OpType switch
        {
            "MaxPool" or "AveragePool" when Blocked(0) => new([0], [0]),
            "GlobalAveragePool" or "GlobalMaxPool" when Blocked(0) => new([0], []),
            "Add" or "Sub" or "Mul" => OfPair(node, output, isBlocked),
            "Concat" when node.Axis(node.Int("axis"), 4) == 1 && Enumerable.Range(0, node.Inputs.Count).All(Blocked) && AreWhole(node.Inputs.SkipLast(1)) => new([.. Enumerable.Range(0, node.Inputs.Count)], [0]),
            _ => ElementFunctions.Contains(node.OpType) && Blocked(0) ? new([0], [0]) : null,
        };
    }

    /// <summary>A loss sums whole blocks, so that what fills up the last one must be 0.</summary>
    private static BlockedRole? OfPowerLoss(Node node, Predicate<Value> isBlocked)
    {
        (Value x, Value target) = (node.Inputs[0]!, node.Inputs[1]!);
        if (!isBlocked(x) || x.Shape is not { Rank: 4 } || !FilledChannels.AreZero(x, isBlocked) || !FilledChannels.AreZero(target, isBlocked)) return null;
        return node.OpType == "PowerLoss" ? new(Present(node, 0, 1, 2), []) : new(Present(node, 0, 1, 3), [0]);
    }

    /// <summary>The role of what only training graphs hold.</summary>
    private static BlockedRole? OfTraining(Node node, Predicate<int> isBlocked) => node.OpType switch
    {
        "BatchNormalizationTraining" when isBlocked(0) => new(Present(node, 0, BatchNormalizationTraining.Residual), [0]),
        "BatchNormalizationGradient" when isBlocked(1) => new(Present(node, 0, 1, BatchNormalizationGradient.Output), node.Outputs.Count > BatchNormalizationGradient.ResidualGradient ? [0, BatchNormalizationGradient.ResidualGradient] : [0]),
        "ReluGradient" or "ClipGradient" when (isBlocked(0) || isBlocked(1)) && Equals(node.Inputs[0]!.Shape, node.Inputs[1]!.Shape) => new([0, 1], [0]),
        // Whatever fills up the last block is 0, and 0 has a code in every quantizer of integers.
        "FakeQuantize" or "DropQuantize" when isBlocked(0) => new([0], [0]),
        "FakeQuantizeGradient" when isBlocked(0) || isBlocked(3) => new([0, 3], [0]),
        "DropQuantizeGradient" when isBlocked(0) || isBlocked(4) => new([0, 4], [0]),
        "LevelQuantize" when isBlocked(0) && NumberSet.HasZero(node) => new([0], [0]),
        "LevelQuantizeGradient" when (isBlocked(0) || isBlocked(3)) && NumberSet.HasZero(node) => new([0, 3], [0]),
        "MaxPoolScatter" when isBlocked(1) => new([0, 1], [0]),
        "AveragePoolSpread" when isBlocked(0) => new([0], [0]),
        _ => null,
    };

    private static int[] Present(Node node, params ReadOnlySpan<int> inputs)
    {
        var present = new List<int>();
        foreach (int input in inputs)
        {
            if (node.Input(input) is not null) present.Add(input);
        }
        return [.. present];
    }

    /// <summary>Two operands of equal shape, one of them in blocks; or blocks and a number, or a number for each channel.</summary>
    private static BlockedRole? OfPair(Node node, Value output, Predicate<Value> isBlocked)
    {
        bool IsFull(Value value) => isBlocked(value) && value.Shape!.Equals(output.Shape);
        (Value a, Value b) = (node.Inputs[0]!, node.Inputs[1]!);
        if (!IsFull(a) && !IsFull(b)) return null;
        if (Equals(a.Shape, b.Shape)) return new([0, 1], [0]);
        int small = IsFull(a) ? 1 : 0;
        Value other = node.Inputs[small]!;
        if (other.Shape is not { IsKnown: true } && other.Shape?.Rank != 4) return null;
        if (other.Shape.IsKnown && other.Shape.ToShape().ElementCount == 1 && other.Shape.Rank <= 4) return new([1 - small], [0]);
        return IsPerChannel(other, output.Shape!) ? new([0, 1], [0]) : null;
    }

    private static bool IsPerChannel(Value value, SymbolicShape output)
    {
        SymbolicShape shape = value.Shape!;
        if (shape.Rank == 3) return value.IsConstant && shape[0] == output[1] && shape[1] == 1 && shape[2] == 1;
        return shape.Rank == 4 && (shape[0] == 1 || shape[0] == output[0]) && shape[1] == output[1] && shape[1].IsKnown && shape[2] == 1 && shape[3] == 1;
    }

    private static bool AreWhole(IEnumerable<Value?> parts) => parts.All(part => part!.Shape![1] is { IsKnown: true } channels && channels.Length % 16 == 0);
}
