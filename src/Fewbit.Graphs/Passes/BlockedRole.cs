using Fewbit.Tensors;
using Fewbit.Tensors.Kernels;

namespace Fewbit.Graphs.Passes;

/// <summary>What a node reads and writes in blocks of channels.</summary>
/// <param name="BlockedInputs">Numbers of the inputs that it reads in blocks.</param>
/// <param name="WritesBlocks">Whether it writes blocks; otherwise it returns to row-major.</param>
internal sealed record BlockedRole(IReadOnlyList<int> BlockedInputs, bool WritesBlocks)
{
    // Functions that are finite at 0, so that the channels which fill up the last block stay finite.
    private static readonly HashSet<string> ElementFunctions =
    [
        "Relu", "LeakyRelu", "Clip", "HardSigmoid", "HardSwish", "Sigmoid", "Tanh", "Elu", "Selu", "Celu", "Softplus", "Softsign", "Mish", "Swish", "Gelu", "Erf", "Abs", "Neg",
    ];

    public bool Reads(int input) => BlockedInputs.Contains(input);

    /// <summary>The role of a convolution that a blocked kernel computes; null for any other node.</summary>
    public static BlockedRole? OfConvolution(Node node, Conv2DShape shape, Predicate<Value> isBlocked)
    {
        bool readsPlanes = !isBlocked(node.Inputs[0]!) && PlanarBlockedConv2D.Fits(shape);
        if (!readsPlanes && !BlockedConv2D.Fits(shape)) return null;
        var inputs = new List<int>();
        if (!readsPlanes) inputs.Add(0);
        if (node.Input(3) is not null) inputs.Add(3);
        return new(inputs, WritesBlocks: true);
    }

    /// <summary>The role of a node that computes on whatever layout reaches it, where blocks reach it; null otherwise.</summary>
    public static BlockedRole? OfFollower(Node node, Predicate<Value> isBlocked)
    {
        if (node.Domain.Length > 0 || node.Outputs.Count != 1 || node.Outputs[0] is not { Type: ElementType.Float32, Shape.Rank: 4 } output) return null;
        bool Blocked(int input) => node.Input(input) is { } value && isBlocked(value);
        return node.OpType switch
        {
            "MaxPool" or "AveragePool" when Blocked(0) => new([0], true),
            "GlobalAveragePool" or "GlobalMaxPool" when Blocked(0) => new([0], false),
            "Add" or "Sub" or "Mul" => OfPair(node, output, isBlocked),
            "Concat" when node.Axis(node.Int("axis"), 4) == 1 && Enumerable.Range(0, node.Inputs.Count).All(Blocked) && AreWhole(node.Inputs.SkipLast(1)) => new([.. Enumerable.Range(0, node.Inputs.Count)], true),
            _ => ElementFunctions.Contains(node.OpType) && Blocked(0) ? new([0], true) : null,
        };
    }

    /// <summary>Two operands of equal shape, both in blocks; or blocks and a number, or a number for each channel.</summary>
    private static BlockedRole? OfPair(Node node, Value output, Predicate<Value> isBlocked)
    {
        bool IsFull(Value value) => isBlocked(value) && value.Shape!.Equals(output.Shape);
        (Value a, Value b) = (node.Inputs[0]!, node.Inputs[1]!);
        if (IsFull(a) && IsFull(b)) return new([0, 1], true);
        if (!IsFull(a) && !IsFull(b)) return null;
        int small = IsFull(a) ? 1 : 0;
        Value other = node.Inputs[small]!;
        if (other.Shape is not { IsKnown: true } && other.Shape?.Rank != 4) return null;
        if (other.Shape.IsKnown && other.Shape.ToShape().ElementCount == 1 && other.Shape.Rank <= 4) return new([1 - small], true);
        return IsPerChannel(other, output.Shape!) ? new([0, 1], true) : null;
    }

    private static bool IsPerChannel(Value value, SymbolicShape output)
    {
        SymbolicShape shape = value.Shape!;
        if (shape.Rank == 3) return value.IsConstant && shape[0] == output[1] && shape[1] == 1 && shape[2] == 1;
        return shape.Rank == 4 && (shape[0] == 1 || shape[0] == output[0]) && shape[1] == output[1] && shape[1].IsKnown && shape[2] == 1 && shape[3] == 1;
    }

    private static bool AreWhole(IEnumerable<Value?> parts) => parts.All(part => part!.Shape![1] is { IsKnown: true } channels && channels.Length % 16 == 0);
}
