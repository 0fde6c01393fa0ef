using Fewbit.Graphs.Operators.Control;
using Fewbit.Tensors;

namespace Fewbit.Graphs.Operators;

/// <summary>What is known of a node's inputs while its outputs are inferred. With tensors at hand everything is known.</summary>
public sealed class InferenceContext
{
    private readonly IInferenceSource _source;

    internal InferenceContext(Node node, IInferenceSource source) => (Node, _source) = (node, source);

    /// <summary>The node.</summary>
    public Node Node { get; }

    /// <summary>Number of inputs, left-out ones in between included.</summary>
    public int InputCount => Node.Inputs.Count;

    /// <summary>True where the input is there.</summary>
    public bool HasInput(int index) => Node.Input(index) is not null;

    /// <summary>Element type of an input that is there; Undefined while unknown.</summary>
    public ElementType InputType(int index) => _source.TypeOf(Present(index));

    /// <summary>Shape of an input that is there; null while its rank is unknown.</summary>
    public SymbolicShape? InputShape(int index) => _source.ShapeOf(Present(index));

    /// <summary>The tensor of an input where it is known already; null otherwise or where the input is left out.</summary>
    public Tensor? InputTensor(int index) => Node.Input(index) is { } value ? _source.TensorOf(value) : null;

    /// <summary>The elements of a one-dimensional (or scalar) integer input as lengths, each known or not; null where nothing is known.</summary>
    public Dim[]? InputDims(int index)
    {
        if (Node.Input(index) is not { } value) return null;
        if (_source.TensorOf(value) is { } tensor) return Inference.DimsOf(tensor);
        return _source.DimsOf(value);
    }

    /// <summary>The elements of an integer input (int32 or int64) where its tensor is known; null otherwise.</summary>
    public long[]? InputInts(int index) => InputTensor(index) is { } tensor ? Node.ReadInts(tensor) : null;

    /// <summary>States an output. A left-out shape means that the rank is unknown.</summary>
    public void SetOutput(int index, ElementType type, SymbolicShape? shape)
    {
        Node.Expect(shape is null || shape.Rank <= SymbolicShape.MaxRank, $"gives output {index} {shape?.Rank ?? 0} dimensions, expected at most {SymbolicShape.MaxRank}");
        if (index < Node.Outputs.Count) _source.SetOutput(Node.Outputs[index], type, shape);
    }

    /// <summary>States the elements of a one-dimensional (or scalar) integer output as lengths, for shape arithmetic on symbols.</summary>
    public void SetOutputDims(int index, Dim[] dims)
    {
        if (index < Node.Outputs.Count && dims.Length <= Inference.LongestDims) _source.SetDims(Node.Outputs[index], dims);
    }

    /// <summary>What follows for the outputs of a body from what is known of its inputs and of the values around it; null where the engine at hand does not infer bodies.</summary>
    internal ValueFacts[]? InferBody(Graph body, ReadOnlySpan<ValueFacts> inputs)
    {
        if (!_source.InferBody(body, inputs)) return null;
        return [.. body.Outputs.Select(output => new ValueFacts(_source.TypeOf(output), _source.ShapeOf(output)))];
    }

    private Value Present(int index) => Node.Input(index) ?? throw Node.Fail($"has no input {index}");
}

/// <summary>Where an inference context reads and writes: the graph itself, or tensors at hand.</summary>
internal interface IInferenceSource
{
    ElementType TypeOf(Value value);

    SymbolicShape? ShapeOf(Value value);

    Tensor? TensorOf(Value value);

    Dim[]? DimsOf(Value value);

    void SetOutput(Value value, ElementType type, SymbolicShape? shape);

    void SetDims(Value value, Dim[] dims);

    /// <summary>Infers the nodes of a body; false where this source has no use for that.</summary>
    bool InferBody(Graph body, ReadOnlySpan<ValueFacts> inputs);
}
