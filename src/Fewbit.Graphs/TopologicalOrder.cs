namespace Fewbit.Graphs;

/// <summary>Orders nodes so that each follows the nodes it reads from.</summary>
internal static class TopologicalOrder
{
    /// <summary>Keeps the given order where it is possible; without recursion, since a file may nest a million nodes.</summary>
    /// <exception cref="InvalidDataException">The nodes form a cycle.</exception>
    public static List<Node> Of(IReadOnlyList<Node> nodes)
    {
        var position = new Dictionary<Node, int>(nodes.Count);
        for (int i = 0; i < nodes.Count; i++) position[nodes[i]] = i;
        var waitsFor = new int[nodes.Count];
        var readers = new List<int>?[nodes.Count];
        for (int i = 0; i < nodes.Count; i++)
        {
            foreach (Node producer in Producers(nodes[i]))
            {
                if (!position.TryGetValue(producer, out int from)) continue;
                (readers[from] ??= []).Add(i);
                waitsFor[i]++;
            }
        }
        var ready = new PriorityQueue<int, int>();
        for (int i = 0; i < nodes.Count; i++)
        {
            if (waitsFor[i] == 0) ready.Enqueue(i, i);
        }
        var order = new List<Node>(nodes.Count);
        while (ready.TryDequeue(out int i, out _))
        {
            order.Add(nodes[i]);
            foreach (int reader in readers[i] ?? [])
            {
                if (--waitsFor[reader] == 0) ready.Enqueue(reader, reader);
            }
        }
        if (order.Count == nodes.Count) return order;
        Node stuck = nodes[Array.FindIndex(waitsFor, count => count > 0)];
        throw stuck.Fail("lies on or behind a cycle: it reads, directly or through others, what it computes itself");
    }

    /// <summary>Nodes whose outputs a node or one of its subgraphs reads.</summary>
    private static IEnumerable<Node> Producers(Node node)
    {
        foreach (Value? input in node.Inputs)
        {
            if (input?.Producer is { } producer) yield return producer;
        }
        foreach (Graph body in node.Subgraphs())
        {
            foreach (Value captured in body.CapturedValues())
            {
                if (captured.Producer is { } producer) yield return producer;
            }
        }
    }
}
