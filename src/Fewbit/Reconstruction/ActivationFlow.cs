using Fewbit.Graphs;
using Fewbit.Tensors;

namespace Fewbit.Reconstruction;

/// <summary>Which node needs the real numbers of which, with dominators: what every path from the inputs of the model to a node goes through.</summary>
/// <remarks>Integers (shapes, indices) are not followed: who needs them computes them again from the real values that they come from.</remarks>
internal sealed class ActivationFlow
{
    private const int Root = 0;
    private readonly Dictionary<Value, int> _sourceOf = [];
    private readonly Dictionary<Node, int> _indexOf = [];
    private readonly List<int> _dominator = [Root], _depth = [0];

    public ActivationFlow(Graph graph)
    {
        foreach (Value input in graph.Inputs.Where(input => input.Constant is null)) _sourceOf[input] = Add(Root);
        foreach (Node node in graph.Nodes)
        {
            int dominator = -1;
            foreach (Value read in Reads(node)) dominator = dominator < 0 ? SourceOf(read) : Common(dominator, SourceOf(read));
            int index = _indexOf[node] = Add(Math.Max(Root, dominator));
            foreach (Value output in node.Outputs) _sourceOf[output] = index;
        }
    }

    /// <summary>True for a value that holds real numbers computed from the model's inputs.</summary>
    public static bool IsReal(Value value) => value.Constant is null && (value.Type.IsFloat() || value.Type == ElementType.Undefined || value.Producer is null);

    /// <summary>The real values that a node needs, also through integers computed from them.</summary>
    public static IReadOnlyCollection<Value> Reads(Node node)
    {
        var found = new HashSet<Value>();
        Collect(node, found, []);
        return found;
    }

    /// <summary>True where the node computes real numbers.</summary>
    public static bool IsReal(Node node) => node.Outputs.Any(IsReal);

    /// <summary>Number of the node that computes a value, or of the input of the model.</summary>
    public int SourceOf(Value value) => _sourceOf.GetValueOrDefault(value, Root);

    /// <summary>Number of the nearest node, or input of the model, that every path to a node goes through; 0 where there is none.</summary>
    public int DominatorOf(Node node) => _dominator[_indexOf[node]];

    public int IndexOf(Node node) => _indexOf[node];

    private static void Collect(Node node, HashSet<Value> found, HashSet<Node> visited)
    {
        if (!visited.Add(node)) return;
        foreach (Value value in node.Inputs.OfType<Value>().Concat(node.Subgraphs().SelectMany(body => body.CapturedValues())))
        {
            if (IsReal(value)) found.Add(value);
            else if (value.Producer is { } producer) Collect(producer, found, visited);
        }
    }

    private int Add(int dominator)
    {
        _dominator.Add(dominator);
        _depth.Add(_depth[dominator] + 1);
        return _dominator.Count - 1;
    }

    private int Common(int a, int b)
    {
        while (a != b)
        {
            if (_depth[a] < _depth[b]) (a, b) = (b, a);
            a = _dominator[a];
        }
        return a;
    }
}
