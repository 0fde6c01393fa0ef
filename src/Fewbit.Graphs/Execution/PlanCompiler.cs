using Fewbit.Graphs.Operators;
using Fewbit.Graphs.Operators.Control;
using Fewbit.Tensors;

namespace Fewbit.Graphs.Execution;

/// <summary>Turns a graph into steps: shapes, folding of what is known, memory, kernels.</summary>
internal sealed class PlanCompiler : IInferenceSource
{
    private readonly Graph _graph;
    private readonly PlanRequest _request;
    private readonly BodyRequest? _surroundings;
    private readonly WinogradBudget _winograd;
    private readonly Interpreter _interpreter;
    private readonly ScratchSpace _scratch = new();
    private readonly Dictionary<Value, (ElementType Type, SymbolicShape? Shape)> _inferred = [];
    private readonly Dictionary<Value, Dim[]> _dims = [];
    private readonly Dictionary<Value, Tensor> _known = [];
    private readonly Dictionary<Value, Tensor> _variablesBound = [];
    private readonly Dictionary<Value, Tensor> _buffers = [];
    private readonly Dictionary<Value, Tensor> _dynamic = [];
    private readonly HashSet<Value> _dynamicValues = [];
    // Values that are computed where the variable lies that they update.
    private readonly Dictionary<Value, Value> _updatedInPlace = [];
    // The steps that read a variable, or write it (numbers of outputs as complements).
    private readonly Dictionary<Value, List<(EvaluationContext Context, int Place)>> _variablePlaces = [];
    private readonly List<Node> _folded = [];
    private Tensor? _arena;
    private long _foldedBytes;

    public PlanCompiler(Graph graph, PlanRequest request, BodyRequest? surroundings = null)
    {
        (_graph, _request, _surroundings) = (graph, request, surroundings);
        _winograd = new(request.Limits.WinogradBytes);
        Budget = surroundings?.Budget ?? new(request.Limits);
        _interpreter = new(Budget);
        Value[] outputs = request.Outputs is { } names ? [.. names.Select(Named)] : [.. graph.Outputs];
        (Value Variable, Value Source)[] updates = [.. (request.Updates ?? new Dictionary<string, string>()).Select(pair => (Named(pair.Key), Named(pair.Value)))];
        BindInputs();
        List<Node> nodes = InferAndFold(Reachability.NodesFor(graph, [.. outputs, .. updates.Select(update => update.Source)]));
        Place(nodes, outputs, updates);
        Steps = [.. nodes.Where(node => !IsAlias(node)).Select(CreateStep)];
        Computed = ComputedBySteps(nodes);
        OutputReaders = Readers(outputs);
        Updates = [.. updates.Select(update => ((Func<Tensor>)(() => _variablesBound[update.Variable]), ReaderOf(update.Source)))];
    }

    public Step[] Steps { get; }

    /// <summary>Element 0: what follows from constants and shapes, and views of inputs; element i + 1: what step i computes, and views of it.</summary>
    public IReadOnlyList<(Value Value, Func<Tensor?> Read)>[] Computed { get; }

    public Dictionary<string, Tensor> InputBuffers { get; } = new(StringComparer.Ordinal);

    public Dictionary<string, Func<Tensor>> OutputReaders { get; }

    public (Func<Tensor> Variable, Func<Tensor> Source)[] Updates { get; }

    public long ArenaBytes { get; private set; }

    /// <summary>Inputs and variables: what a run reads and does not compute.</summary>
    public IReadOnlyList<Value> Given => [.. _graph.Inputs.Where(_buffers.ContainsKey), .. _variablesBound.Keys];

    public bool DetectsAnomalies => _request.DetectsAnomalies;

    /// <summary>What a run, the bodies in it included, has used of its limits.</summary>
    public RunBudget Budget { get; }

    public ElementType TypeOf(Value value) => TensorOf(value)?.Type ?? (_variablesBound.TryGetValue(value, out Tensor? bound) ? bound.Type : _inferred.GetValueOrDefault(value).Type);

    public SymbolicShape? ShapeOf(Value value) => TensorOf(value) is { } tensor ? SymbolicShape.From(tensor.Shape)
        : _variablesBound.TryGetValue(value, out Tensor? bound) ? SymbolicShape.From(bound.Shape) : _inferred.GetValueOrDefault(value).Shape;

    public Tensor? TensorOf(Value value) => _known.GetValueOrDefault(value) ?? (value.Graph == _graph ? null
        : _surroundings is not null ? _surroundings.Known(value) : value.IsConstant ? value.Constant : null);

    public Dim[]? DimsOf(Value value) => _dims.GetValueOrDefault(value);

    public void SetOutput(Value value, ElementType type, SymbolicShape? shape) => _inferred[value] = (type, shape);

    public void SetDims(Value value, Dim[] dims) => _dims[value] = dims;

    public bool InferBody(Graph body, ReadOnlySpan<ValueFacts> inputs)
    {
        foreach (Value value in body.Values)
        {
            _inferred.Remove(value);
            _dims.Remove(value);
        }
        for (int i = 0; i < inputs.Length; i++) _inferred[body.Inputs[i]] = (inputs[i].Type, inputs[i].Shape);
        foreach (Node node in body.Nodes) OperatorCalls.Infer(node, this);
        return true;
    }

    /// <summary>The tensor of a value while the plan runs; null before it is computed.</summary>
    public Tensor? FindAtRun(Value value) => TensorOf(value) ?? _variablesBound.GetValueOrDefault(_updatedInPlace.GetValueOrDefault(value, value))
        ?? _buffers.GetValueOrDefault(value) ?? _dynamic.GetValueOrDefault(value);

    /// <summary>The memory that a value has in the arena; null where it has none.</summary>
    public Tensor? PlaceOf(Value value) => _buffers.GetValueOrDefault(value);

    /// <summary>The tensor itself, or a copy where it lies in the arena, whose memory other values take over.</summary>
    public Tensor Detach(Tensor tensor) => tensor.SharesMemory(_arena!) ? tensor.Copy() : tensor;

    /// <summary>Lets a variable be read from other memory of the same type and shape.</summary>
    public void Bind(Value variable, Tensor tensor)
    {
        if (_variablesBound[variable] == tensor) return;
        _variablesBound[variable] = tensor;
        foreach ((EvaluationContext context, int place) in _variablePlaces.GetValueOrDefault(variable) ?? [])
        {
            if (place >= 0) context.Bind(place, tensor);
            else context.BindOutput(~place, tensor);
        }
    }

    /// <summary>As <see cref="Bind"/>, for a tensor of the user's.</summary>
    /// <exception cref="ArgumentException">There is no such variable, or the tensor is of another form.</exception>
    public void Rebind(string name, Tensor tensor)
    {
        if (_graph.Find(name) is not { } variable || !_variablesBound.TryGetValue(variable, out Tensor? old)) throw new ArgumentException($"the plan has no variable '{name}'", nameof(name));
        if (old.Type != tensor.Type || old.Shape != tensor.Shape) throw new ArgumentException($"variable '{name}' is {old}, but is given {tensor}", nameof(tensor));
        Bind(variable, tensor);
    }

    private Value Named(string name) => _graph.Find(name) ?? throw new ArgumentException($"the graph has no value '{name}'");

    private void BindInputs()
    {
        foreach ((Value value, Tensor tensor) in _surroundings?.Given ?? new Dictionary<Value, Tensor>()) _variablesBound[value] = tensor;
        foreach (Value input in _graph.Inputs)
        {
            if (_variablesBound.ContainsKey(input)) continue;
            if (_request.Inputs.TryGetValue(input.Name, out Shape shape))
            {
                if (input.Shape is { } stated && !stated.Matches(shape)) throw new ArgumentException($"input {input} cannot take shape {shape}");
                _inferred[input] = (input.Type, SymbolicShape.From(shape));
            }
            else if (input.Constant is null)
            {
                throw new ArgumentException($"no shape is given for input {input}");
            }
        }
        foreach (Value value in _graph.Constants)
        {
            if (_inferred.ContainsKey(value)) continue;
            Tensor tensor = _request.Bindings?.GetValueOrDefault(value.Name) ?? value.Constant!;
            (value.IsVariable ? _variablesBound : _known)[value] = tensor;
        }
    }

    /// <summary>Infers all nodes; those whose inputs, or whose outputs' lengths, are known now are computed now.</summary>
    private List<Node> InferAndFold(IReadOnlyList<Node> nodes)
    {
        var remaining = new List<Node>();
        foreach (Node node in nodes)
        {
            OperatorCalls.Infer(node, this);
            foreach (Value output in node.Outputs)
            {
                if (_inferred.TryGetValue(output, out var stated) && stated.Shape is { IsKnown: true } shape) Budget.ExpectFits(node, output, stated.Type, OperatorCalls.ToShape(node, shape));
            }
            if (TryFold(node)) _folded.Add(node);
            else remaining.Add(node);
        }
        return remaining;
    }

    private bool TryFold(Node node)
    {
        if (node.Outputs.Count == 1 && _dims.TryGetValue(node.Outputs[0], out Dim[]? dims) && Array.TrueForAll(dims, dim => dim.IsKnown)
            && _inferred.TryGetValue(node.Outputs[0], out var stated) && stated is { Type: ElementType.Int64, Shape.IsKnown: true })
        {
            _known[node.Outputs[0]] = Tensor.From<long>(Array.ConvertAll(dims, dim => dim.Length), stated.Shape.ToShape());
            return true;
        }
        bool isKnown = ReadBy(node).All(input => TensorOf(input) is not null);
        if (!isKnown) return false;
        Tensor[] outputs = _interpreter.RunNode(node, TensorOf, _interpreter.ScopeAround(TensorOf, Budget));
        _foldedBytes += outputs.Sum(output => output.ByteCount);
        node.Expect(_foldedBytes <= Budget.Limits.MaxWorkingBytes, $"what follows from constants takes {_foldedBytes} bytes with its outputs, more than the limit of {Budget.Limits.MaxWorkingBytes}: raise {nameof(ExecutionLimits)}.{nameof(ExecutionLimits.MaxWorkingBytes)} if the model means it");
        for (int i = 0; i < outputs.Length; i++) _known[node.Outputs[i]] = outputs[i];
        return true;
    }

    /// <summary>What a node reads, its bodies included.</summary>
    private static IEnumerable<Value> ReadBy(Node node) => node.Inputs.OfType<Value>().Concat(node.Subgraphs().SelectMany(body => body.CapturedValues()));

    private bool IsStatic(Value value) => ShapeOf(value) is { IsKnown: true } && !_dynamicValues.Contains(value);

    /// <summary>Gives every value of known shape its place in the arena.</summary>
    private void Place(List<Node> nodes, Value[] outputs, (Value Variable, Value Source)[] updates)
    {
        foreach (Node node in nodes)
        {
            bool isStatic = node.Outputs.All(output => ShapeOf(output) is { IsKnown: true })
                && (node.Subgraphs().Any() || node.Inputs.All(input => input is null || TensorOf(input) is not null || _variablesBound.ContainsKey(input) || IsStatic(input)));
            if (!isStatic) _dynamicValues.UnionWith(node.Outputs);
        }
        FindUpdatesInPlace(nodes, updates);
        var planner = new MemoryPlanner(value => ByteCount(value), value => _inferred.ContainsKey(value) && !_known.ContainsKey(value) && IsStatic(value) && !_updatedInPlace.ContainsKey(value));
        var inputs = _graph.Inputs.Where(input => _inferred.ContainsKey(input)).ToArray();
        MemoryLayout layout = planner.Plan(inputs, nodes, [.. outputs, .. updates.Select(update => update.Source)], IsAlias);
        ArenaBytes = layout.ByteCount;
        ExpectRoom();
        _arena = Tensor.AllocateUninitialized(ElementType.UInt8, [Math.Max(1, layout.ByteCount)]);
        Dictionary<long, Tensor>? apart = Tensor.Allocator is null ? null : Apart(layout);
        foreach ((Value value, long offset) in layout.Offsets)
        {
            (ElementType type, SymbolicShape? shape) = _inferred[value];
            _buffers[value] = apart is null ? _arena.View(type, shape!.ToShape(), offset, value.Layout) : apart[offset].View(type, shape!.ToShape(), 0, value.Layout);
        }
        foreach (Value input in inputs) InputBuffers[input.Name] = _buffers[input];
    }

    /// <summary>An updated variable needs no second place where the operator that updates it is the last that reads it.</summary>
    private void FindUpdatesInPlace(List<Node> nodes, (Value Variable, Value Source)[] updates)
    {
        var order = new Dictionary<Node, int>(nodes.Count);
        foreach ((int index, Node node) in nodes.Index()) order.Add(node, index);
        var bound = _variablesBound.Values.CountBy(tensor => tensor).ToDictionary();
        HashSet<Value> captured = [.. nodes.SelectMany(node => node.Subgraphs()).SelectMany(body => body.CapturedValues())];
        foreach ((Value variable, Value source) in updates)
        {
            if (source.Producer is not { Operator: IUpdateOperator update } producer || !IsStatic(source) || captured.Contains(variable) || captured.Contains(source) || _updatedInPlace.ContainsKey(source)) continue;
            int input = update.UpdatedInput(producer.Outputs.ToList().IndexOf(source));
            bool isOwn = input >= 0 && producer.Input(input) == variable && bound[_variablesBound[variable]] == 1 && producer.Inputs.Count(read => read == variable) == 1;
            bool isLast = variable.Uses.All(use => !order.TryGetValue(use.Node, out int reader) || reader <= order[producer]);
            if (isOwn && isLast && _variablesBound[variable].Layout == source.Layout) _updatedInPlace.Add(source, variable);
        }
    }

    /// <summary>Memory of its own for each block, where tests look for accesses beyond a tensor's end.</summary>
    private static Dictionary<long, Tensor> Apart(MemoryLayout layout)
    {
        long[] offsets = [.. layout.Offsets.Values.Distinct().Order(), layout.ByteCount];
        return offsets[..^1].Zip(offsets[1..]).ToDictionary(pair => pair.First, pair => Tensor.AllocateUninitialized(ElementType.UInt8, [pair.Second - pair.First]));
    }

    private void ExpectRoom()
    {
        long limit = Budget.Limits.MaxWorkingBytes;
        if (ArenaBytes > limit)
            throw new InvalidDataException($"graph '{_graph.Name}': its tensors take {ArenaBytes} bytes at once, more than the limit of {limit}: raise {nameof(ExecutionLimits)}.{nameof(ExecutionLimits.MaxWorkingBytes)} if the model means it");
    }

    private long ByteCount(Value value) =>
        _inferred[value].Type.ByteCount(Tensor.StoredElements(_inferred[value].Shape!.ToShape(), value.Layout));

    /// <summary>A node that a plan need not run, since its output lies where its input lies.</summary>
    private bool IsAlias(Node node) => node.Operator is IViewOperator && IsStatic(node.Outputs[0]) && node.Input(0) is { } input
        && IsStatic(input) && TensorOf(input) is null && !_variablesBound.ContainsKey(input) && !_updatedInPlace.ContainsKey(input) && input.Layout == node.Outputs[0].Layout;

    private Step CreateStep(Node node)
    {
        if (node.Subgraphs().Any()) return new ControlStep(node, _interpreter, this, _dynamic);
        if (node.Outputs.Any(_dynamicValues.Contains)) return new DynamicStep(node, _interpreter, FindAtRun, _dynamic, Budget);
        var inputs = node.Inputs.Select(input => input is null ? null : FindAtRun(input)
            ?? throw new InvalidOperationException($"Bug in the plan compiler: {node} reads {input}, which has no place")).ToArray();
        var outputs = node.Outputs.Select(output => _updatedInPlace.TryGetValue(output, out Value? variable) ? _variablesBound[variable] : _buffers.GetValueOrDefault(output)).ToArray();
        var context = new EvaluationContext(node, inputs, outputs, _scratch);
        for (int i = 0; i < inputs.Length; i++)
        {
            if (node.Inputs[i] is { } input) NotePlace(input, context, i);
        }
        for (int i = 0; i < outputs.Length; i++) NotePlace(node.Outputs[i], context, ~i);
        IKernel? kernel = OperatorCalls.Compile(node, new(node, value => (TypeOf(value), ShapeOf(value)!.ToShape()), TensorOf) { Winograd = _winograd });
        return new StaticStep(context, kernel);
    }

    private void NotePlace(Value value, EvaluationContext context, int place)
    {
        Value variable = _updatedInPlace.GetValueOrDefault(value, value);
        if (!_variablesBound.ContainsKey(variable)) return;
        if (!_variablePlaces.TryGetValue(variable, out var places)) _variablePlaces.Add(variable, places = []);
        places.Add((context, place));
    }

    private IReadOnlyList<(Value Value, Func<Tensor?> Read)>[] ComputedBySteps(List<Node> nodes)
    {
        var computed = new List<List<(Value, Func<Tensor?>)>> { new() };
        int folded = _folded.Count;
        foreach ((int index, Node node) in _folded.Concat(nodes).Index())
        {
            if (index >= folded && !IsAlias(node)) computed.Add([]);
            computed[^1].AddRange(node.Outputs.Select(output => (output, (Func<Tensor?>)(() => FindAtRun(output)))));
        }
        return [.. computed];
    }

    private Dictionary<string, Func<Tensor>> Readers(Value[] outputs)
    {
        var readers = new Dictionary<string, Func<Tensor>>(StringComparer.Ordinal);
        foreach (Value output in outputs) readers[output.Name] = ReaderOf(output);
        return readers;
    }

    private Func<Tensor> ReaderOf(Value value) =>
        () => FindAtRun(value) ?? throw new InvalidDataException($"nothing computes output {value}");
}
