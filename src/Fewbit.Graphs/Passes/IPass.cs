namespace Fewbit.Graphs.Passes;

/// <summary>A rewrite of a graph that keeps what the graph computes. It changes the graph it is given: clone first where the original is needed.</summary>
public interface IPass
{
    /// <summary>Name in reports.</summary>
    string Name { get; }

    /// <summary>Rewrites the graph.</summary>
    /// <returns>What changed, and what was left and why.</returns>
    PassReport Run(Graph graph);
}
