using Fewbit.Tensors;

namespace Fewbit.Graphs;

/// <summary>Formulas over values: each operator appends a node to the graph.</summary>
public sealed partial class Value
{
    /// <summary>Element-wise sum, broadcast.</summary>
    public static Value operator +(Value a, Value b) => a.Apply("Add", b);

    /// <summary>Element-wise difference, broadcast.</summary>
    public static Value operator -(Value a, Value b) => a.Apply("Sub", b);

    /// <summary>Element-wise product, broadcast.</summary>
    public static Value operator *(Value a, Value b) => a.Apply("Mul", b);

    /// <summary>Element-wise quotient, broadcast.</summary>
    public static Value operator /(Value a, Value b) => a.Apply("Div", b);

    /// <summary>Element-wise negation.</summary>
    public static Value operator -(Value a) => a.Apply("Neg");

    /// <summary>Adds a number to each element.</summary>
    public static Value operator +(Value a, float b) => a + a.Scalar(b);

    /// <summary>Subtracts a number from each element.</summary>
    public static Value operator -(Value a, float b) => a - a.Scalar(b);

    /// <summary>Subtracts each element from a number.</summary>
    public static Value operator -(float a, Value b) => b.Scalar(a) - b;

    /// <summary>Multiplies each element by a number.</summary>
    public static Value operator *(Value a, float b) => a * a.Scalar(b);

    /// <summary>Multiplies each element by a number.</summary>
    public static Value operator *(float a, Value b) => b * a;

    /// <summary>Divides each element by a number.</summary>
    public static Value operator /(Value a, float b) => a / a.Scalar(b);

    /// <summary>Appends a node with this value as its first input, and returns its first output.</summary>
    public Value Apply(string opType, params ReadOnlySpan<Value?> others) => Apply(opType, null, others);

    /// <summary>Appends a node with attributes and this value as its first input, and returns its first output.</summary>
    public Value Apply(string opType, Attributes? attributes, params ReadOnlySpan<Value?> others) =>
        Graph.AddNode(opType, [this, .. others], attributes).Outputs[0];

    /// <summary>Sums over the dimensions in which <paramref name="like"/> would be broadcast to this value's shape.</summary>
    public Value SumToShapeOf(Value like) =>
        Shape is { } own && own.Equals(like.Shape) ? this : Apply(Operators.OperatorTable.FewbitDomain, "SumToShapeOf", null, like);

    /// <summary>Appends a node of another domain.</summary>
    public Value Apply(string domain, string opType, Attributes? attributes, params ReadOnlySpan<Value?> others) =>
        Graph.InsertNode(Graph.Nodes.Count, domain, opType, [this, .. others], attributes).Outputs[0];

    /// <summary>A constant of rank 0 of this value's element type (float32 unless it is float64).</summary>
    public Value Scalar(double number) =>
        Graph.AddConstant("const", Type == ElementType.Float64 ? Tensor.Scalar(number) : Tensor.Scalar((float)number));
}
