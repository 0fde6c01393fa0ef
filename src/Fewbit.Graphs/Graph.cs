using Fewbit.Tensors;

namespace Fewbit.Graphs;

/// <summary>A network: inputs, constants, nodes in an order in which they can run, outputs.</summary>
public sealed partial class Graph
{
    private readonly List<Node> _nodes = [];
    private readonly List<Value> _inputs = [];
    private readonly List<Value> _outputs = [];
    private readonly Dictionary<string, Value> _values = new(StringComparer.Ordinal);
    private readonly HashSet<string> _nodeNames = new(StringComparer.Ordinal);
    private int _nextName;

    /// <summary>An empty graph.</summary>
    /// <param name="name">Name of the graph, as in the file.</param>
    /// <param name="opset">Version of the standard operators.</param>
    /// <param name="parent">The graph around a subgraph (body of If, Loop, Scan); its values can be read.</param>
    public Graph(string name = "graph", int opset = 13, Graph? parent = null)
    {
        (Name, Parent) = (name, parent);
        Opsets = parent?.Opsets ?? new(StringComparer.Ordinal) { [""] = opset };
    }

    /// <summary>Name of the graph.</summary>
    public string Name { get; set; }

    /// <summary>The graph around this subgraph; null for a whole model.</summary>
    public Graph? Parent { get; }

    /// <summary>Operator-set version by domain; the standard domain is the empty text.</summary>
    public Dictionary<string, int> Opsets { get; }

    /// <summary>Free key-value pairs that travel with the model.</summary>
    public SortedDictionary<string, string> Metadata { get; } = new(StringComparer.Ordinal);

    /// <summary>Free text that travels with the model.</summary>
    public string Documentation { get; set; } = "";

    /// <summary>Bytes of constants that passes have computed so far: a small file must not become a large graph.</summary>
    internal long FoldedBytes { get; set; }

    /// <summary>What the file says of the model beyond this: the reader of the format leaves it here for the writer.</summary>
    internal object? Origin { get; set; }

    /// <summary>Values that a run is given.</summary>
    public IReadOnlyList<Value> Inputs => _inputs;

    /// <summary>Values that a run returns.</summary>
    public IReadOnlyList<Value> Outputs => _outputs;

    /// <summary>The nodes; each reads only inputs, constants and outputs of nodes before it.</summary>
    public IReadOnlyList<Node> Nodes => _nodes;

    /// <summary>All values of this graph, those of graphs around it excluded.</summary>
    public IReadOnlyCollection<Value> Values => _values.Values;

    /// <summary>Values that hold a constant.</summary>
    public IEnumerable<Value> Constants => _values.Values.Where(value => value.Constant is not null);

    /// <summary>Version of a domain's operators.</summary>
    public int OpsetVersion(string domain) => Opsets.GetValueOrDefault(domain, 1);

    /// <summary>The value of that name in this graph or one around it; null where there is none.</summary>
    public Value? Find(string name) => _values.GetValueOrDefault(name) ?? Parent?.Find(name);

    /// <summary>Adds a value that a run must be given.</summary>
    public Value AddInput(string name, ElementType type, SymbolicShape? shape)
    {
        Value value = AddValue(name);
        (value.Type, value.Shape) = (type, shape);
        _inputs.Add(value);
        return value;
    }

    /// <summary>Adds a constant. A name that is taken gets a number.</summary>
    public Value AddConstant(string name, Tensor tensor)
    {
        Value value = AddValue(UniqueName(name));
        value.SetConstant(tensor);
        return value;
    }

    /// <summary>Adds a value without a producer yet.</summary>
    /// <exception cref="ArgumentException">The name is taken.</exception>
    public Value AddValue(string name)
    {
        if (Find(name) is not null) throw new ArgumentException($"the graph has two values named '{name}'", nameof(name));
        var value = new Value(this, name);
        _values.Add(name, value);
        return value;
    }

    /// <summary>Declares a value as an output of the graph.</summary>
    public void AddOutput(Value value) => _outputs.Add(value);

    /// <summary>Replaces an output, keeping its place. The new value takes over the old one's name, so that a model keeps its output names.</summary>
    public void ReplaceOutput(Value old, Value replacement)
    {
        int index = _outputs.IndexOf(old);
        if (index < 0) return;
        // An input or constant, or a value that is an output already, cannot be renamed: a copy of it is returned.
        if (replacement.Producer is null || replacement.Graph != this || _outputs.Contains(replacement))
        {
            replacement = AddNode("Identity", [replacement]).Outputs[0];
        }
        for (; index >= 0; index = _outputs.IndexOf(old)) _outputs[index] = replacement;
        SwapNames(old, replacement);
    }

    /// <summary>Puts an output in the place of another without touching names.</summary>
    public void SetOutput(int index, Value value) => _outputs[index] = value;

    /// <summary>Removes an output of the graph; the value stays.</summary>
    public void RemoveOutput(Value value) => _outputs.Remove(value);

    /// <summary>Removes a graph input that nothing reads, or makes way for a constant of the same value.</summary>
    public void RemoveInput(Value value) => _inputs.Remove(value);

    /// <summary>Appends a node of the standard domain with one output, and infers its type and shape.</summary>
    public Node AddNode(string opType, IEnumerable<Value?> inputs, Attributes? attributes = null, int outputs = 1, string? name = null) =>
        InsertNode(_nodes.Count, "", opType, inputs, attributes, outputs, name);

    /// <summary>Inserts a node before the node at <paramref name="index"/>, and infers its outputs' types and shapes.</summary>
    public Node InsertNode(int index, string domain, string opType, IEnumerable<Value?> inputs, Attributes? attributes = null, int outputs = 1, string? name = null)
    {
        name = UniqueNodeName(name ?? opType);
        var values = new Value[outputs];
        for (int i = 0; i < outputs; i++) values[i] = AddValue(UniqueName(outputs == 1 ? name + "/out" : $"{name}/out{i}"));
        return Insert(index, domain, opType, name, inputs, values, attributes ?? []);
    }

    /// <summary>Inserts a node whose output values exist already.</summary>
    public Node InsertNode(int index, string domain, string opType, string name, IEnumerable<Value?> inputs, IEnumerable<Value> outputs, Attributes attributes) =>
        Insert(index, domain, opType, UniqueNodeName(name), inputs, outputs, attributes);

    /// <summary>Appends a node as a file states it, nothing inferred.</summary>
    public Node AppendRaw(string domain, string opType, string name, IEnumerable<Value?> inputs, IEnumerable<Value> outputs, Attributes attributes)
    {
        var node = new Node(this, domain, opType, UniqueNodeName(name), inputs, outputs, attributes);
        _nodes.Add(node);
        return node;
    }

    /// <summary>Position of a node in <see cref="Nodes"/>.</summary>
    public int IndexOf(Node node) => _nodes.IndexOf(node);

    /// <summary>Removes a node. Its outputs stay as values until <see cref="RemoveUnusedValues"/>.</summary>
    public void Remove(Node node)
    {
        node.Detach();
        _nodes.Remove(node);
        _nodeNames.Remove(node.Name);
    }

    /// <summary>Removes many nodes at once.</summary>
    public void RemoveNodes(IReadOnlySet<Node> nodes)
    {
        foreach (Node node in nodes)
        {
            node.Detach();
            _nodeNames.Remove(node.Name);
        }
        _nodes.RemoveAll(nodes.Contains);
    }

    /// <summary>Forgets values that no node computes or reads and the graph neither takes nor returns.</summary>
    public void RemoveUnusedValues()
    {
        foreach (Value value in _values.Values.ToArray())
        {
            if (value.Uses.Count == 0 && value.Producer is null && !_inputs.Contains(value) && !_outputs.Contains(value)) _values.Remove(value.Name);
        }
    }

    /// <summary>Orders the nodes so that each follows what it reads, and otherwise keeps their order.</summary>
    /// <exception cref="InvalidDataException">The graph has a cycle; the message names a node of it.</exception>
    public void Sort()
    {
        var sorted = TopologicalOrder.Of(_nodes);
        _nodes.Clear();
        _nodes.AddRange(sorted);
    }

    /// <summary>A copy that can be changed freely. Tensors are shared, since they do not change.</summary>
    public Graph Clone() => new GraphCloner().Clone(this, Parent);

    /// <summary>The name itself, or the name with the first free number behind it.</summary>
    public string UniqueName(string name)
    {
        if (name.Length == 0) name = "value";
        if (Find(name) is null) return name;
        string candidate;
        do candidate = $"{name}_{++_nextName}"; while (Find(candidate) is not null);
        return candidate;
    }

    internal void Rename(Value value, string name)
    {
        if (value.Name == name) return;
        if (Find(name) is not null) throw new ArgumentException($"the graph has two values named '{name}'", nameof(name));
        _values.Remove(value.Name);
        value.Name = name;
        _values.Add(name, value);
    }

    private void SwapNames(Value a, Value b)
    {
        (a.Name, b.Name) = (b.Name, a.Name);
        _values[a.Name] = a;
        _values[b.Name] = b;
    }

    private Node Insert(int index, string domain, string opType, string name, IEnumerable<Value?> inputs, IEnumerable<Value> outputs, Attributes attributes)
    {
        var node = new Node(this, domain, opType, name, inputs, outputs, attributes);
        _nodes.Insert(index, node);
        Inference.InferNode(node);
        return node;
    }

    private string UniqueNodeName(string name)
    {
        if (name.Length == 0) name = "node";
        string candidate = name;
        while (!_nodeNames.Add(candidate)) candidate = $"{name}_{++_nextName}";
        return candidate;
    }
}
