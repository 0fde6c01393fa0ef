using Fewbit.Graphs;

namespace Fewbit.Quantization;

/// <summary>Inserts nodes one after another at a place of a graph, named after a node that was there.</summary>
internal sealed class NodeInserter(Graph graph, int index, string name)
{
    /// <summary>What the names of nodes begin with.</summary>
    public string Name => name;

    /// <summary>Where the next node goes.</summary>
    public int Index { get; private set; } = index;

    /// <summary>A node with one result.</summary>
    /// <param name="domain">Empty for standard operators.</param>
    /// <param name="opType">The operator.</param>
    /// <param name="part">What is added to the name; empty for the name itself.</param>
    /// <param name="inputs">What it reads.</param>
    /// <param name="attributes">Its attributes.</param>
    public Value Add(string domain, string opType, string part, IEnumerable<Value?> inputs, Attributes? attributes = null) => AddMany(domain, opType, part, inputs, attributes, 1).Outputs[0];

    /// <summary>A node with several results.</summary>
    public Node AddMany(string domain, string opType, string part, IEnumerable<Value?> inputs, Attributes? attributes, int outputs) =>
        graph.InsertNode(Index++, domain, opType, inputs, attributes, outputs, part.Length == 0 ? name : $"{name}/{part}");
}
