using Fewbit.Formats;
using Fewbit.Graphs;
using Fewbit.Tensors;

namespace Fewbit.Rounding;

/// <summary>Rounding of weights that is learned on a unit's output: what a method supplies. The loop, the optimizer and the schedule are the reconstructor's.</summary>
internal interface ILearnedRounding
{
    /// <summary>Adds the variables of one weight and its soft form to a graph.</summary>
    /// <param name="graph">The graph of a unit's step.</param>
    /// <param name="name">Name of the weight: prefix of the variables' names.</param>
    /// <param name="weight">The float weight.</param>
    /// <param name="grid">Its codes, and scale and zero point of each channel.</param>
    LearnedWeight Add(Graph graph, string name, Tensor weight, QuantizationParameters grid);
}

/// <summary>A weight while its rounding is learned.</summary>
internal abstract class LearnedWeight
{
    /// <summary>What the optimizer changes, each a variable of the graph.</summary>
    public abstract IReadOnlyList<Value> Variables { get; }

    /// <summary>The weight that the unit computes with, a function of the variables.</summary>
    public abstract Value Soft { get; }

    /// <summary>A number to add to the loss; null where the method has none.</summary>
    /// <param name="schedule">[beta, weight of the regularizer]: an input of the step.</param>
    public abstract Value? Regularizer(Value schedule);

    /// <summary>The codes that the variables decide on, int32, shape of the weight.</summary>
    public abstract Tensor Harden();

    /// <summary>Weights whose rounding is still between two codes.</summary>
    public abstract int Undecided();
}
