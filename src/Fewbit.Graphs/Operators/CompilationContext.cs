using Fewbit.Tensors;

namespace Fewbit.Graphs.Operators;

/// <summary>What is fixed for a node of a plan: shapes, types, and the inputs that are constant.</summary>
public sealed class CompilationContext
{
    private readonly Func<Value, (ElementType Type, Shape Shape)> _describe;
    private readonly Func<Value, Tensor?> _constant;

    internal CompilationContext(Node node, Func<Value, (ElementType, Shape)> describe, Func<Value, Tensor?> constant) =>
        (Node, _describe, _constant) = (node, describe, constant);

    /// <summary>The node.</summary>
    public Node Node { get; }

    /// <summary>What the plan may still keep of transformed weights.</summary>
    internal WinogradBudget Winograd { get; init; } = new(0);

    /// <summary>True where the input is there.</summary>
    public bool HasInput(int index) => Node.Input(index) is not null;

    /// <summary>Element type of an input that is there.</summary>
    public ElementType InputType(int index) => _describe(Node.Input(index)!).Type;

    /// <summary>Shape of an input that is there.</summary>
    public Shape InputShape(int index) => _describe(Node.Input(index)!).Shape;

    /// <summary>Shape of an output.</summary>
    public Shape OutputShape(int index) => _describe(Node.Outputs[index]).Shape;

    /// <summary>The tensor of an input that does not change while the plan lives; null otherwise.</summary>
    public Tensor? Constant(int index) => Node.Input(index) is { } value ? _constant(value) : null;

    /// <summary>Derives data from a constant once for all plans that use the same tensor: packed weights.</summary>
    /// <param name="constant">The tensor to derive from.</param>
    /// <param name="key">What is derived: kind and every setting it depends on; equal keys give equal data.</param>
    /// <param name="derive">Makes it.</param>
    public static T Derive<T>(Tensor constant, object key, Func<Tensor, T> derive) where T : class => DerivedData.Get(constant, key, derive);
}
