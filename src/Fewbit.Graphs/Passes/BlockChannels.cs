using Fewbit.Graphs.Operators;
using Fewbit.Tensors;

namespace Fewbit.Graphs.Passes;

/// <summary>Lets convolutions and what lies between them compute on channels in blocks of 16 (<see cref="Layout.ChannelBlocks16"/>), and reorders where such a region begins and ends.</summary>
/// <remarks>
/// For running only. Outputs of the graph stay row-major, and so do inputs unless their own layout says that they come in blocks. A region whose reorders would cost more than its convolutions gain stays as it is,
/// and so does everything where the active kernel path has no blocked convolution.
/// </remarks>
public sealed class BlockChannels : IPass
{
    /// <inheritdoc/>
    public string Name => "block channels";

    /// <summary>Whether regions are blocked that lose by it; for tests.</summary>
    internal bool IgnoresCost { get; init; }

    /// <inheritdoc/>
    public PassReport Run(Graph graph)
    {
        var report = new PassReport(Name);
        IReadOnlyDictionary<Node, BlockedRole> roles = BlockedRegions.Of(graph, report, IgnoresCost);
        HashSet<Value> captured = Captured(graph);
        var blocks = graph.Inputs.Where(input => input.Layout == Layout.ChannelBlocks16).ToDictionary(input => input);
        foreach (Value input in blocks.Keys) ReadRowMajor(input, roles);
        foreach (Node node in graph.Nodes.Where(roles.ContainsKey).ToArray())
        {
            BlockedRole role = roles[node];
            report.Change(node, "computes on blocks of channels");
            for (int i = 0; i < node.Inputs.Count; i++)
            {
                if (role.Reads(i)) node.SetInput(i, BlocksOf(node, node.Inputs[i]!, blocks));
            }
            foreach (int output in role.BlockedOutputs) blocks.Add(node.Outputs[output], WriteBlocks(node, output, value => ReadsPlain(value, roles, captured)));
        }
        return report;
    }

    /// <summary>True where something needs the value row-major.</summary>
    internal static bool ReadsPlain(Value value, IReadOnlyDictionary<Node, BlockedRole> roles, HashSet<Value> captured) =>
        value.IsOutput || captured.Contains(value) || value.Uses.Any(use => !ReadsShapeOnly(use) && !(roles.TryGetValue(use.Node, out BlockedRole? role) && role.Reads(use.Index)));

    /// <summary>Gradients read many a value for its lengths alone, which no layout changes.</summary>
    private static bool ReadsShapeOnly(Use use) => use.Node.Domain == OperatorTable.FewbitDomain
        ? use is { Index: 1, Node.OpType: "SumToShapeOf" or "SliceGradient" or "PadGradient" }
        : use.Node.Is("Shape") || use.Node.Is("Size");

    /// <summary>The values that bodies of control flow read.</summary>
    internal static HashSet<Value> Captured(Graph graph) => [.. graph.Nodes.SelectMany(node => node.Subgraphs()).SelectMany(body => body.CapturedValues())];

    /// <summary>The blocked form of a value, made in front of its first reader where no node computes it so.</summary>
    private static Value BlocksOf(Node reader, Value value, Dictionary<Value, Value> blocks)
    {
        if (blocks.TryGetValue(value, out Value? known)) return known;
        Graph graph = reader.Graph;
        Value source = value.Shape is { Rank: 3 } ? graph.AddConstant(value.Name, value.Constant!.Reshape([1, .. value.Constant.Shape.Dims])) : value;
        Value made = AddBlocks(graph, value.Name);
        graph.InsertNode(graph.IndexOf(reader), OperatorTable.FewbitDomain, "Reorder", value.Name + "/reorder", [source], [made], []);
        blocks.Add(value, made);
        return made;
    }

    /// <summary>Lets those readers of a blocked input that need it row-major read a reordered copy.</summary>
    private static void ReadRowMajor(Value input, IReadOnlyDictionary<Node, BlockedRole> roles)
    {
        Use[] readers = [.. input.Uses.Where(use => !(roles.TryGetValue(use.Node, out BlockedRole? role) && role.Reads(use.Index)))];
        if (readers.Length == 0) return;
        Value plain = input.Graph.InsertNode(0, OperatorTable.FewbitDomain, "Reorder", [input], name: input.Name + "/reorder").Outputs[0];
        foreach (Use use in readers) use.Node.SetInput(use.Index, plain);
    }

    /// <summary>The output itself becomes blocked; where somebody needs it row-major too, it is reordered from a new value, so that its name stands for the plain form.</summary>
    private static Value WriteBlocks(Node node, int index, Predicate<Value> readsPlain)
    {
        Value output = node.Outputs[index];
        if (!readsPlain(output))
        {
            output.Layout = Layout.ChannelBlocks16;
            return output;
        }
        Value made = AddBlocks(node.Graph, output.Name);
        (made.Type, made.Shape) = (output.Type, output.Shape);
        node.ReplaceOutputAt(index, made);
        node.Graph.InsertNode(node.Graph.IndexOf(node) + 1, OperatorTable.FewbitDomain, "Reorder", output.Name + "/reorder", [made], [output], []);
        return made;
    }

    private static Value AddBlocks(Graph graph, string name)
    {
        Value value = graph.AddValue(graph.UniqueName(name + "/blocks"));
        value.Layout = Layout.ChannelBlocks16;
        return value;
    }
}
