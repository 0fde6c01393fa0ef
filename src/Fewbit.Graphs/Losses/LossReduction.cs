namespace Fewbit.Graphs;

/// <summary>What becomes of the terms of a loss.</summary>
public enum LossReduction
{
    /// <summary>Their mean: one number.</summary>
    Mean,

    /// <summary>Their sum: one number.</summary>
    Sum,

    /// <summary>They stay as they are.</summary>
    None,
}
