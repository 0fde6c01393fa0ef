using Fewbit.Tensors;

namespace Fewbit.Graphs.Passes;

/// <summary>Readings of a graph that passes which look for groups of nodes share.</summary>
internal static class Patterns
{
    /// <summary>The node of this standard operator that computes the value in the same graph; null where something else does.</summary>
    public static Node? From(this Value? value, string opType) => value?.Producer is { } node && node.Is(opType) ? node : null;

    /// <summary>The same where nothing else reads the value: it need not exist once the group is one node.</summary>
    public static Node? OnlyFrom(this Value? value, string opType) => value.From(opType) is { } node && value is { Uses.Count: 1, IsOutput: false, IsObserved: false } ? node : null;

    /// <summary>The node that alone reads the node's result; null where there are others or the graph returns it.</summary>
    public static Node? OnlyReader(this Node node)
    {
        Value output = node.Outputs[0];
        return output.Uses.Count == 1 && !output.IsOutput && !output.IsObserved && output.Uses[0].Node.Graph == node.Graph ? output.Uses[0].Node : null;
    }

    /// <summary>A constant of one float32 element, of no more dimensions than the value it meets.</summary>
    public static float? Scalar(this Value? value) =>
        value is { IsConstant: true, Type: ElementType.Float32, Constant.ElementCount: 1 } ? value.Constant.Span<float>()[0] : null;

    public static bool IsScalar(this Value? value, double expected) => value.Scalar() is { } found && Math.Abs(found - expected) <= 1e-6 * Math.Max(1, Math.Abs(expected));

    /// <summary>The other operand of an Add or Mul, and the constant it meets.</summary>
    public static (Value Value, float Scalar)? WithScalar(this Node? node)
    {
        if (node is null || node.Inputs[0] is not { } a || node.Inputs[1] is not { } b) return null;
        return b.Scalar() is { } right ? (a, right) : a.Scalar() is { } left ? (b, left) : null;
    }

    /// <summary>x where the node is x times (or divided by) a constant, and that factor.</summary>
    public static (Value Value, float Factor)? Scaled(this Value? value)
    {
        if (value.From("Mul").WithScalar() is { } product) return product;
        return value.From("Div") is { } quotient && quotient.Inputs[1].Scalar() is { } divisor && divisor != 0 ? (quotient.Inputs[0]!, 1 / divisor) : null;
    }

    /// <summary>The operand of a two-operand node that is not <paramref name="one"/>.</summary>
    public static Value Other(this Node node, Value one) => node.Inputs[0] == one ? node.Inputs[1]! : node.Inputs[0]!;

    /// <summary>The constant integers of an attribute or an input; null where they are neither.</summary>
    public static long[]? ConstantInts(this Node node, string attribute, int input)
    {
        if (node.Ints(attribute) is { } stated) return stated;
        return node.Input(input) is { IsConstant: true, Type: ElementType.Int64 } value ? value.Constant!.Span<long>().ToArray() : null;
    }

    /// <summary>Puts a node in the place of the last one of a group; what computed its inputs stays until nothing reads it.</summary>
    public static Node ReplaceLast(Node last, string domain, string opType, IEnumerable<Value?> inputs, Attributes attributes)
    {
        (Graph graph, Value output) = (last.Graph, last.Outputs[0]);
        int index = graph.IndexOf(last);
        Value?[] operands = [.. inputs];
        graph.Remove(last);
        return graph.InsertNode(index, domain, opType, last.Name, operands, [output], attributes);
    }
}
