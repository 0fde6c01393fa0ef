using System.Runtime.CompilerServices;
using Fewbit.Graphs.Execution;
using Fewbit.Tensors;

namespace Fewbit.Graphs.Operators;

/// <summary>The tensors that one node reads and writes.</summary>
public sealed unsafe class EvaluationContext
{
    private readonly Tensor?[] _inputs;
    private readonly Tensor?[] _outputs;
    private readonly ScratchSpace _scratch;

    internal EvaluationContext(Node node, Tensor?[] inputs, Tensor?[] outputs, ScratchSpace scratch) =>
        (Node, _inputs, _outputs, _scratch) = (node, inputs, outputs, scratch);

    /// <summary>The node.</summary>
    public Node Node { get; }

    /// <summary>Number of inputs, left-out ones in between included.</summary>
    public int InputCount => _inputs.Length;

    /// <summary>Number of outputs.</summary>
    public int OutputCount => _outputs.Length;

    /// <summary>What runs the bodies of the node (If, Loop, Scan); null where an engine gives the node to itself.</summary>
    internal IScope? Scope { get; init; }

    /// <summary>An input that is there.</summary>
    public Tensor Input(int index) => FindInput(index) ?? throw Node.Fail($"has no input {index}");

    /// <summary>An input, or null where it is left out.</summary>
    public Tensor? FindInput(int index) => index < _inputs.Length ? _inputs[index] : null;

    /// <summary>An output whose shape was inferred: allocated, not zeroed.</summary>
    public Tensor Output(int index) => (index < _outputs.Length ? _outputs[index] : null) ?? throw ShapeUnknown(index);

    /// <summary>The error where nothing says what shape an output has: an input that states lengths is of another form.</summary>
    internal InvalidDataException ShapeUnknown(int index) =>
        Node.Fail($"the shape of output {index} does not follow from its inputs ({string.Join(", ", _inputs.Select(input => input?.ToString() ?? "none"))}), expected lengths as a vector of at most {Inference.LongestDims} integers");

    /// <summary>True where the output is allocated.</summary>
    public bool HasOutput(int index) => index < _outputs.Length && _outputs[index] is not null;

    /// <summary>Hands over an output whose shape only the operator knows.</summary>
    public void Provide(int index, Tensor tensor)
    {
        if (index < _outputs.Length) _outputs[index] = tensor;
    }

    /// <summary>At least <paramref name="byteCount"/> bytes, aligned to 64, not zeroed, valid until this node is done. One call a node.</summary>
    public void* Scratch(long byteCount) => _scratch.Get(byteCount);

    /// <summary>True where every output is allocated and has no element: dimensions beside the one of length 0 may be huge, and no kernel should walk them.</summary>
    internal bool HasNothingToCompute => Array.TrueForAll(_outputs, output => output is { ElementCount: 0 });

    /// <summary>Runs a body of this node.</summary>
    internal Tensor[] RunBody(Graph body, IReadOnlyList<Tensor> inputs) => Surroundings.Run(body, inputs);

    /// <summary>Counts one iteration of this node against the limits of the run.</summary>
    /// <exception cref="InvalidDataException">A limit is passed.</exception>
    internal void CountIteration() => Surroundings.Budget.CountIteration(Node);

    private IScope Surroundings => Scope ?? throw new InvalidOperationException($"Bug in {Node}: it was run where no body can run");

    internal void Bind(int input, Tensor? tensor) => _inputs[input] = tensor;

    internal void BindOutput(int output, Tensor? tensor) => _outputs[output] = tensor;

    internal Tensor? OutputOrNull(int index) => _outputs[index];
}

/// <summary>Memory that each node of a run uses in turn; grows to the largest request and stays.</summary>
internal sealed unsafe class ScratchSpace
{
    private PinnedScratch? _memory;

    public void* Get(long byteCount)
    {
        if (_memory is null || _memory.ByteCount < byteCount) _memory = new(byteCount);
        return _memory.Address;
    }

    public long ByteCount => _memory?.ByteCount ?? 0;

    private sealed class PinnedScratch(long byteCount)
    {
        private readonly Tensor _tensor = Tensor.AllocateUninitialized(ElementType.UInt8, [byteCount]);

        public long ByteCount => _tensor.ByteCount;

        public void* Address
        {
            [MethodImpl(MethodImplOptions.AggressiveInlining)]
            get => _tensor.Address;
        }
    }
}

/// <summary>Runs the bodies of control-flow nodes, with the values around them.</summary>
internal interface IScope
{
    RunBudget Budget { get; }

    Tensor[] Run(Graph body, IReadOnlyList<Tensor> inputs);
}
