using Fewbit.Graphs.Operators;
using Fewbit.Tensors.Kernels;

namespace Fewbit.Graphs.Passes;

/// <summary>The channels that fill up the last block of a value: sums over whole blocks count them.</summary>
internal static class FilledChannels
{
    /// <summary>Whether they are zeros, or there are none.</summary>
    /// <param name="value">Any value.</param>
    /// <param name="isBlocked">Whether a value is to lie in blocks.</param>
    public static bool AreZero(Value value, Predicate<Value> isBlocked)
    {
        // A reorder fills up with zeros, and so do convolutions before their activation.
        if (!isBlocked(value) || value.Producer is not { } node || value.Shape is { Rank: > 1 } shape && shape[1] is { IsKnown: true } channels && channels.Length % ChannelBlocks.Width == 0) return true;
        bool Zero(Value? input) => input is null || AreZero(input, isBlocked);
        return node.Operator switch
        {
            Conv conv => KeepsZero(conv.Activation) && node.Inputs.All(Zero),
            BatchNormalizationTraining norm => KeepsZero(norm.Activation) && node.Inputs.All(Zero),
            _ => node.OpType switch
            {
                "Sigmoid" or "HardSigmoid" or "Softplus" => false,
                "Clip" => FuseActivation.ActivationOf(node) is { } activation && KeepsZero(activation) && Zero(node.Inputs[0]),
                "Add" or "Sub" => node.Inputs.All(input => !IsNumber(input!) && Zero(input)),
                "Mul" => node.Inputs.Any(input => isBlocked(input!) && Zero(input)),
                _ => node.Inputs.All(Zero),
            },
        };
    }

    private static bool KeepsZero(Activation activation) => activation.Kind != ActivationKind.Clip || (activation.Low <= 0 && activation.High >= 0);

    private static bool IsNumber(Value value) => value.Shape is { IsKnown: true } shape && shape.ToShape().ElementCount == 1;
}
