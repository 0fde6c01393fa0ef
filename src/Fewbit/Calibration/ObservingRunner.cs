using Fewbit.Graphs;
using Fewbit.Graphs.Execution;
using Fewbit.Graphs.Passes;
using Fewbit.Tensors;

namespace Fewbit.Calibration;

/// <summary>Runs a graph and shows its values as they are computed: memory is that of a plain run.</summary>
internal sealed class ObservingRunner
{
    private const int PlansKept = 2;
    private readonly Graph _graph;
    private readonly bool _isRewritten;
    private readonly List<(string Key, Plan Plan)> _plans = [];

    /// <summary>Runs a graph as it is written and shows all its values, row-major.</summary>
    public ObservingRunner(Graph graph) => _graph = graph;

    /// <summary>Runs a float graph with the kernels of a float run and shows at least some of its values, in blocks of channels (<see cref="Layout.ChannelBlocks16"/>) where they are computed so.</summary>
    /// <param name="graph">It stays as it is.</param>
    /// <param name="wanted">Names of the values to show.</param>
    public ObservingRunner(Graph graph, IReadOnlySet<string> wanted)
    {
        _graph = graph.Clone();
        foreach (Value value in _graph.Values.Where(value => wanted.Contains(value.Name))) value.IsObserved = true;
        Passes.PrepareForExecution(_graph);
        // A pass folded a wanted value, or took it into another node: the graph is run as it is written.
        _isRewritten = wanted.All(name => graph.Find(name) is null or { Constant: not null } || IsComputed(name));
        if (!_isRewritten) _graph = graph;
    }

    /// <param name="batch">A tensor for each graph input.</param>
    /// <param name="observe">Called with each graph input and computed value; the tensor holds it only during the call.</param>
    /// <exception cref="ArgumentException">An input is missing, unknown, or of the wrong type or shape.</exception>
    public void Run(IReadOnlyDictionary<string, Tensor> batch, Action<Value, Tensor> observe)
    {
        Check(batch);
        Plan plan = PlanFor(batch);
        foreach (Value input in _graph.Inputs)
        {
            if (batch.TryGetValue(input.Name, out Tensor? tensor)) observe(input, tensor);
        }
        if (_isRewritten) plan.RunAsLaidOut(batch, observe);
        else plan.Run(batch, observe);
    }

    private bool IsComputed(string name) => _graph.Find(name) is { } value && (value.Producer is not null || _graph.Inputs.Contains(value));

    private Plan PlanFor(IReadOnlyDictionary<string, Tensor> batch)
    {
        string key = string.Join(';', batch.OrderBy(pair => pair.Key, StringComparer.Ordinal).Select(pair => $"{pair.Key}{pair.Value.Shape}"));
        if (_plans.Find(entry => entry.Key == key).Plan is { } known) return known;
        Plan plan = Plan.Compile(_graph, new() { Inputs = batch.ToDictionary(pair => pair.Key, pair => pair.Value.Shape, StringComparer.Ordinal) });
        if (_plans.Count == PlansKept) _plans.RemoveAt(0);
        _plans.Add((key, plan));
        return plan;
    }

    private void Check(IReadOnlyDictionary<string, Tensor> batch)
    {
        foreach (Value input in _graph.Inputs.Where(input => input.Constant is null))
        {
            if (!batch.TryGetValue(input.Name, out Tensor? tensor)) throw new ArgumentException($"a batch has no tensor for input {input}; it has {string.Join(", ", batch.Keys)}", nameof(batch));
            if (tensor.Type != input.Type || input.Shape?.Matches(tensor.Shape) == false) throw new ArgumentException($"a batch gives input {input} a tensor {tensor}", nameof(batch));
        }
        if (batch.Keys.FirstOrDefault(name => _graph.Inputs.All(input => input.Name != name)) is { } unknown)
            throw new ArgumentException($"a batch has a tensor '{unknown}', but the model has no such input; it has {string.Join(", ", _graph.Inputs)}", nameof(batch));
    }
}
