namespace Fewbit.Graphs.Operators.Control;

/// <summary>Copies the nodes of a body into another graph.</summary>
internal static class BodyInlining
{
    /// <summary>Appends a copy of the body's nodes, and returns what its outputs have become.</summary>
    /// <param name="body">The body.</param>
    /// <param name="target">A graph from which the values around the body can be read.</param>
    /// <param name="given">What the body's inputs, or values around it, are to be.</param>
    public static Value[] Inline(Graph body, Graph target, IReadOnlyDictionary<Value, Value> given)
    {
        var map = new Dictionary<Value, Value>(given);
        foreach (Value constant in body.Constants)
        {
            if (map.ContainsKey(constant)) continue;
            Value copy = target.AddConstant(constant.Name, constant.Constant!);
            (copy.IsVariable, map[constant]) = (constant.IsVariable, copy);
        }
        foreach (Node node in body.Nodes)
        {
            Attributes attributes = node.Attributes.Clone(inner => new GraphCloner(map).Clone(inner, target));
            Node copy = target.InsertNode(target.Nodes.Count, node.Domain, node.OpType, node.Inputs.Select(input => input is null ? null : map.GetValueOrDefault(input, input)), attributes, node.Outputs.Count, node.Name);
            copy.GradientOf = node.GradientOf;
            for (int i = 0; i < node.Outputs.Count; i++) map[node.Outputs[i]] = copy.Outputs[i];
        }
        return [.. body.Outputs.Select(output => map.GetValueOrDefault(output, output))];
    }
}
