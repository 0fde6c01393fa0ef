using Fewbit.Tensors;

namespace Fewbit.Graphs.Execution;

/// <summary>Runs a graph on inputs of any shape it takes: one plan a shape signature, the latest ones kept.</summary>
public sealed class GraphRunner : IModelRunner
{
    private const int PlansKept = 4;
    private readonly Graph _graph;
    private readonly ExecutionLimits _limits;
    private readonly LinkedList<(string Key, Plan Plan)> _plans = new();
    private readonly Lock _lock = new();

    /// <summary>Runs <paramref name="graph"/> as it stands; pass it through the passes of <c>Fewbit.Graphs.Passes</c> first for speed.</summary>
    /// <param name="graph">The graph.</param>
    /// <param name="limits">What a run may cost; null for <see cref="ExecutionLimits.Default"/>.</param>
    public GraphRunner(Graph graph, ExecutionLimits? limits = null)
    {
        (_graph, _limits) = (graph, limits ?? ExecutionLimits.Default);
        Inputs = [.. graph.Inputs.Where(value => value.Constant is null).Select(Describe)];
        Outputs = [.. graph.Outputs.Select(Describe)];
    }

    /// <inheritdoc/>
    public IReadOnlyList<ValueInfo> Inputs { get; }

    /// <inheritdoc/>
    public IReadOnlyList<ValueInfo> Outputs { get; }

    /// <summary>Bytes of the memory that the intermediate tensors of the latest run shared; 0 before the first.</summary>
    public long WorkingBytes
    {
        get
        {
            lock (_lock) return _plans.First?.Value.Plan.ArenaBytes ?? 0;
        }
    }

    /// <inheritdoc/>
    public IReadOnlyDictionary<string, Tensor> Run(IReadOnlyDictionary<string, Tensor> inputs, IReadOnlyCollection<string>? outputs = null)
    {
        Check(inputs);
        lock (_lock)
        {
            IReadOnlyList<string> wanted = outputs is null ? [.. Outputs.Select(output => output.Name)] : [.. outputs];
            Plan plan = PlanFor(inputs, wanted);
            plan.Run(inputs);
            return wanted.Distinct(StringComparer.Ordinal).ToDictionary(name => name, plan.Output, StringComparer.Ordinal);
        }
    }

    /// <summary>Forgets the plans.</summary>
    public void Dispose() => _plans.Clear();

    private static ValueInfo Describe(Value value) => new(value.Name, value.Type, value.Shape);

    private void Check(IReadOnlyDictionary<string, Tensor> inputs)
    {
        foreach (ValueInfo expected in Inputs)
        {
            if (!inputs.TryGetValue(expected.Name, out Tensor? tensor)) throw new ArgumentException($"no tensor is given for input {expected}; given: {string.Join(", ", inputs.Keys)}", nameof(inputs));
            if (tensor.Type != expected.Type) throw new ArgumentException($"input {expected} is given {tensor}", nameof(inputs));
            if (expected.Shape is { } shape && !shape.Matches(tensor.Shape)) throw new ArgumentException($"input {expected} is given {tensor}", nameof(inputs));
        }
        foreach (string name in inputs.Keys)
        {
            if (_graph.Inputs.All(input => input.Name != name)) throw new ArgumentException($"the model has no input '{name}'; it has {string.Join(", ", Inputs)}", nameof(inputs));
        }
    }

    private Plan PlanFor(IReadOnlyDictionary<string, Tensor> inputs, IReadOnlyList<string> outputs)
    {
        string key = string.Join(';', inputs.OrderBy(pair => pair.Key, StringComparer.Ordinal).Select(pair => $"{pair.Key}{pair.Value.Shape}")) + "|" + string.Join(';', outputs);
        for (var entry = _plans.First; entry is not null; entry = entry.Next)
        {
            if (entry.Value.Key != key) continue;
            _plans.Remove(entry);
            _plans.AddFirst(entry);
            return entry.Value.Plan;
        }
        var shapes = inputs.ToDictionary(pair => pair.Key, pair => pair.Value.Shape, StringComparer.Ordinal);
        Plan plan = Plan.Compile(_graph, new() { Inputs = shapes, Outputs = outputs, Limits = _limits });
        _plans.AddFirst((key, plan));
        if (_plans.Count > PlansKept) _plans.RemoveLast();
        return plan;
    }
}
