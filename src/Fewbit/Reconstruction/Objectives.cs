using Fewbit.Graphs;
using Fewbit.Graphs.Operators;
using Fewbit.Tensors;

namespace Fewbit.Reconstruction;

/// <summary>What a unit's output is to be like.</summary>
internal interface IObjective
{
    /// <summary>True where the gradients of the network's loss with respect to the unit's output are needed.</summary>
    bool NeedsGradients { get; }

    /// <summary>Appends the loss, one number.</summary>
    /// <param name="output">The unit's output, samples along dimension 0.</param>
    /// <param name="target">The float network's output of the same samples.</param>
    /// <param name="gradient">Gradient of the network's loss, shape of the output; null where it is not needed.</param>
    Value Loss(Value output, Value target, Value? gradient);
}

/// <summary>|output - target|^P, summed over channels, averaged over the rest.</summary>
/// <param name="P">Exponent, 1 and up.</param>
internal sealed record OutputError(double P = 2) : IObjective
{
    public bool NeedsGradients => false;

    public Value Loss(Value output, Value target, Value? gradient) =>
        output.Apply(OperatorTable.FewbitDomain, "PowerLoss", new() { { "p", (float)P } }, target);
}

/// <summary>(output - target)² · gradient², summed over channels, averaged over the rest: the diagonal of the Fisher information stands for the Hessian.</summary>
/// <remarks>Li et al., "BRECQ", 2021, arXiv:2102.05426.</remarks>
internal sealed record DiagonalFisherError : IObjective
{
    public bool NeedsGradients => true;

    public Value Loss(Value output, Value target, Value? gradient) =>
        output.Apply(OperatorTable.FewbitDomain, "PowerLoss", new() { { "p", 2f } }, target, gradient! * gradient!);
}

/// <summary>mean(a · g · (sum of a · g over the sample)) / 100 with a = |output - target| and g = |gradient|: the full Fisher matrix of a sample, of rank 1.</summary>
/// <remarks>Li et al., "BRECQ", 2021, arXiv:2102.05426; the factor is that of the published code.</remarks>
internal sealed record FullFisherError : IObjective
{
    public bool NeedsGradients => true;

    public Value Loss(Value output, Value target, Value? gradient)
    {
        Value product = (output - target).Apply("Abs") * gradient!.Apply("Abs");
        var dropped = new Attributes { { "keepdims", 0L } };
        Value sums = product.Apply("Flatten").Apply("ReduceSum", dropped, output.Graph.AddConstant("axis", Tensor.From(1L)));
        return (sums * sums).Apply("ReduceSum", new Attributes { { "keepdims", 0L } }) * (float)(0.01 / output.Shape!.ToShape().ElementCount);
    }
}
