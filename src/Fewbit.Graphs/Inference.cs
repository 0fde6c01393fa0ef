using Fewbit.Graphs.Execution;
using Fewbit.Graphs.Operators;
using Fewbit.Graphs.Operators.Control;
using Fewbit.Tensors;

namespace Fewbit.Graphs;

/// <summary>Type and shape inference over a graph, symbols included.</summary>
public static class Inference
{
    /// <summary>Elements of the longest vector that shape arithmetic follows.</summary>
    internal const int LongestDims = 64;

    /// <summary>Infers every node in order. Nodes of unknown operators, and those behind them whose input types are unknown, leave their outputs as they are.</summary>
    /// <exception cref="InvalidDataException">An input of a node has a type or shape that the operator does not take.</exception>
    public static void Infer(Graph graph)
    {
        InferDims(graph);
    }

    /// <summary>Infers every node, and returns what shape arithmetic yields for integer vectors.</summary>
    internal static Dictionary<Value, Dim[]> InferDims(Graph graph)
    {
        var source = new GraphSource();
        foreach (Node node in graph.Nodes) source.Visit(node);
        return source.Dims;
    }

    /// <summary>Infers one node from what its inputs state.</summary>
    internal static void InferNode(Node node)
    {
        if (CanInfer(node)) OperatorCalls.Infer(node, new GraphSource());
    }

    private static bool CanInfer(Node node) => node.IsSupported && node.Inputs.All(input => input is null || input.Type != ElementType.Undefined);

    /// <summary>The elements of a short integer tensor as lengths; null for other types, and -1 or other negative numbers are unknown.</summary>
    internal static Dim[]? DimsOf(Tensor tensor)
    {
        if (tensor.Type is not (ElementType.Int64 or ElementType.Int32) || tensor.Rank > 1 || tensor.ElementCount > LongestDims) return null;
        var dims = new Dim[tensor.ElementCount];
        for (int i = 0; i < dims.Length; i++)
        {
            long value = tensor.Type == ElementType.Int64 ? tensor.Span<long>()[i] : tensor.Span<int>()[i];
            dims[i] = value >= 0 && value < long.MaxValue ? value : Dim.Unknown;
        }
        return dims;
    }

    /// <summary>Reads and writes the values of the graph. What shape arithmetic yields is kept for the one pass.</summary>
    private sealed class GraphSource : IInferenceSource
    {
        private const int MaxDepth = 16;
        private readonly HashSet<Node> _visited = [];
        private readonly Dictionary<Value, ValueFacts> _stated = [];
        private int _depth;

        public Dictionary<Value, Dim[]> Dims { get; } = [];

        public void Visit(Node node)
        {
            if (_visited.Add(node) && CanInfer(node)) OperatorCalls.Infer(node, this);
        }

        /// <summary>A body may be inferred several times, each time from what its values state themselves.</summary>
        public bool InferBody(Graph body, ReadOnlySpan<ValueFacts> inputs)
        {
            foreach (Value value in body.Values)
            {
                if (value.Constant is not null) continue;
                if (!_stated.TryGetValue(value, out ValueFacts stated)) _stated[value] = stated = new(value.Type, value.Shape);
                (value.Type, value.Shape) = (stated.Type, stated.Shape);
                Dims.Remove(value);
            }
            for (int i = 0; i < inputs.Length; i++)
            {
                if (inputs[i].Type != ElementType.Undefined) body.Inputs[i].Type = inputs[i].Type;
                body.Inputs[i].Shape = inputs[i].Shape ?? body.Inputs[i].Shape;
            }
            foreach (Node node in body.Nodes)
            {
                _visited.Remove(node);
                Visit(node);
            }
            return true;
        }

        public ElementType TypeOf(Value value) => value.Type;

        public SymbolicShape? ShapeOf(Value value) => value.Shape;

        public Tensor? TensorOf(Value value) => value.IsVariable ? null : value.Constant;

        /// <summary>A node that is inferred alone asks the shape arithmetic before it.</summary>
        public Dim[]? DimsOf(Value value)
        {
            if (!Dims.ContainsKey(value) && value is { Type: ElementType.Int64 or ElementType.Int32, Shape.Rank: <= 1, Producer: { } producer } && _depth < MaxDepth)
            {
                _depth++;
                Visit(producer);
                _depth--;
            }
            return Dims.GetValueOrDefault(value);
        }

        public void SetDims(Value value, Dim[] dims) => Dims[value] = dims;

        public void SetOutput(Value value, ElementType type, SymbolicShape? shape)
        {
            if (type != ElementType.Undefined) value.Type = type;
            value.Shape = Merge(value, shape);
        }

        /// <summary>What is inferred counts; a symbol that the file states is kept where inference knows nothing.</summary>
        private static SymbolicShape? Merge(Value value, SymbolicShape? inferred)
        {
            if (inferred is null) return value.Shape;
            if (value.Shape is not { } stated || stated.Rank != inferred.Rank) return inferred;
            var dims = new Dim[inferred.Rank];
            for (int axis = 0; axis < dims.Length; axis++) dims[axis] = inferred[axis].Or(stated[axis].IsKnown ? Dim.Unknown : stated[axis]);
            return new(dims);
        }
    }
}

/// <summary>Inference for one node from tensors: every length is known.</summary>
internal sealed class TensorSource(Func<Value, Tensor?> find) : IInferenceSource
{
    private readonly Dictionary<Value, (ElementType Type, SymbolicShape? Shape)> _outputs = [];

    public (ElementType Type, SymbolicShape? Shape) OutputOf(Value value) => _outputs.GetValueOrDefault(value);

    public ElementType TypeOf(Value value) => TensorOf(value)?.Type ?? ElementType.Undefined;

    public SymbolicShape? ShapeOf(Value value) => TensorOf(value) is { } tensor ? SymbolicShape.From(tensor.Shape) : null;

    public Tensor? TensorOf(Value value) => find(value);

    public Dim[]? DimsOf(Value value) => null;

    public void SetDims(Value value, Dim[] dims)
    {
    }

    public void SetOutput(Value value, ElementType type, SymbolicShape? shape) => _outputs[value] = (type, shape);

    public bool InferBody(Graph body, ReadOnlySpan<ValueFacts> inputs) => false;
}
