namespace Fewbit.Graphs.Operators;

/// <summary>What a gradient rule reads and states. A rule adds nodes to the graph, so that a gradient can be differentiated again.</summary>
public sealed class GradientContext
{
    private readonly Dictionary<Value, Value> _gradients;
    private readonly HashSet<Value> _needed;

    internal GradientContext(Node node, Graph graph, Dictionary<Value, Value> gradients, HashSet<Value> needed) =>
        (Node, Graph, _gradients, _needed) = (node, graph, gradients, needed);

    /// <summary>The node whose inputs' gradients are wanted.</summary>
    public Node Node { get; }

    /// <summary>The graph that receives the gradient's nodes.</summary>
    public Graph Graph { get; }

    /// <summary>An input that is there.</summary>
    public Value Input(int index) => Node.Input(index) ?? throw Node.Fail($"has no input {index}");

    /// <summary>An output.</summary>
    public Value Output(int index = 0) => Node.Outputs[index];

    /// <summary>Gradient of the loss with respect to an output; null where the loss does not depend on it.</summary>
    public Value? OutputGradient(int index = 0) => index < Node.Outputs.Count ? _gradients.GetValueOrDefault(Node.Outputs[index]) : null;

    /// <summary>True where the gradient of an input is wanted.</summary>
    public bool Needs(int index) => Node.Input(index) is { } value && _needed.Contains(value);

    /// <summary>States the gradient of an input, of the input's shape. Gradients of a value that is read in several places add up.</summary>
    public void SetInputGradient(int index, Value gradient) => AddGradient(Input(index), gradient);

    /// <summary>True where the gradient of a value is wanted: a body may read values that are no inputs of its node.</summary>
    internal bool Needs(Value value) => _needed.Contains(value);

    /// <summary>Adds to the gradient of a value that the node or a body of it reads.</summary>
    internal void AddGradient(Value value, Value gradient) => _gradients[value] = _gradients.TryGetValue(value, out Value? other) ? other + gradient : gradient;
}
