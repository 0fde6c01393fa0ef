using Fewbit.Graphs;
using Fewbit.Tensors;

namespace Fewbit.Onnx.Upgrade;

/// <summary>Changes one node in place: moves attributes to inputs, puts nodes before and behind it.</summary>
internal sealed class NodeRewriter(Node node)
{
    /// <summary>The node, or what it was replaced by.</summary>
    public Node Node { get; private set; } = node;

    private Graph Graph => Node.Graph;

    /// <summary>Removes an attribute and returns it; null where there is none.</summary>
    public T? Take<T>(string name) where T : class
    {
        T? value = Node.Attribute<T>(name);
        Node.Attributes.Remove(name);
        Node.Invalidate();
        return value;
    }

    /// <summary>Removes an integer attribute and returns it.</summary>
    public long TakeInt(string name, long? fallback = null)
    {
        long value = Node.Int(name, fallback);
        Node.Attributes.Remove(name);
        Node.Invalidate();
        return value;
    }

    /// <summary>Removes a real attribute and returns it; null where there is none.</summary>
    public float? TakeFloat(string name)
    {
        if (!Node.Attributes.Contains(name)) return null;
        float value = Node.Float(name);
        Node.Attributes.Remove(name);
        Node.Invalidate();
        return value;
    }

    public void Set(string attribute, object value)
    {
        Node.Attributes.Set(attribute, value);
        Node.Invalidate();
    }

    /// <summary>Makes integers an input: a one-dimensional int64 constant.</summary>
    public void SetInput(int index, string name, params long[] values) => Node.SetInput(index, Constant(name, Tensor.From<long>(values)));

    /// <summary>Makes a real number an input: a scalar of the type of input 0, float32 where that is unknown.</summary>
    public void SetInput(int index, string name, float value) => Node.SetInput(index, Constant(name, Node.Inputs[0]!.Type switch
    {
        ElementType.Float64 => Tensor.Scalar((double)value),
        ElementType.Float16 => Tensor.Scalar((Half)value),
        ElementType.BFloat16 => Tensor.Scalar((BFloat16)value),
        _ => Tensor.Scalar(value),
    }));

    public Value Constant(string name, Tensor tensor) => Graph.AddConstant($"{Node.Name}/{name}", tensor);

    /// <summary>Puts a node before this one.</summary>
    public Value Before(string opType, IEnumerable<Value?> inputs, Attributes? attributes = null) =>
        Graph.InsertNode(Graph.IndexOf(Node), "", opType, inputs, attributes, name: $"{Node.Name}/{opType}").Outputs[0];

    /// <summary>Lets another node compute output <paramref name="index"/> from what this node computes there.</summary>
    /// <param name="index">Number of the output.</param>
    /// <param name="opType">Operator of the node behind.</param>
    /// <param name="inputs">Its inputs, given what this node computes.</param>
    /// <param name="attributes">Its attributes.</param>
    public void Behind(int index, string opType, Func<Value, IEnumerable<Value?>> inputs, Attributes? attributes = null)
    {
        Value final = Node.Outputs[index], inner = Graph.AddValue(Graph.UniqueName($"{final.Name}/before{opType}"));
        Node.ReplaceOutputAt(index, inner);
        Inference.InferNode(Node);
        Graph.InsertNode(Graph.IndexOf(Node) + 1, "", opType, $"{Node.Name}/{opType}", inputs(inner), [final], attributes ?? []);
    }

    /// <summary>Replaces the node by one of another operator with the same name, outputs and attributes.</summary>
    public void Replace(string opType, IEnumerable<Value?> inputs, Attributes? attributes = null)
    {
        Value?[] given = [.. inputs];
        Value[] outputs = [.. Node.Outputs];
        (int index, Node old) = (Graph.IndexOf(Node), Node);
        Graph.Remove(old);
        Node = old.Graph.InsertNode(index, "", opType, old.Name, given, outputs, attributes ?? old.Attributes);
        Node.Origin = old.Origin;
    }
}
