using Fewbit.Graphs;
using Fewbit.Graphs.Execution;
using Fewbit.Tensors;

namespace Fewbit.Calibration;

/// <summary>Runs a graph and shows its values as they are computed: memory is that of a plain run.</summary>
internal sealed class ObservingRunner(Graph graph)
{
    private const int PlansKept = 2;
    private readonly List<(string Key, Plan Plan)> _plans = [];

    /// <param name="batch">A tensor for each graph input.</param>
    /// <param name="observe">Called with each graph input and computed value; the tensor holds it only during the call.</param>
    /// <exception cref="ArgumentException">An input is missing, unknown, or of the wrong type or shape.</exception>
    public void Run(IReadOnlyDictionary<string, Tensor> batch, Action<Value, Tensor> observe)
    {
        Check(batch);
        Plan plan = PlanFor(batch);
        foreach (Value input in graph.Inputs)
        {
            if (batch.TryGetValue(input.Name, out Tensor? tensor)) observe(input, tensor);
        }
        plan.Run(batch, observe);
    }

    private Plan PlanFor(IReadOnlyDictionary<string, Tensor> batch)
    {
        string key = string.Join(';', batch.OrderBy(pair => pair.Key, StringComparer.Ordinal).Select(pair => $"{pair.Key}{pair.Value.Shape}"));
        if (_plans.Find(entry => entry.Key == key).Plan is { } known) return known;
        Plan plan = Plan.Compile(graph, new() { Inputs = batch.ToDictionary(pair => pair.Key, pair => pair.Value.Shape, StringComparer.Ordinal) });
        if (_plans.Count == PlansKept) _plans.RemoveAt(0);
        _plans.Add((key, plan));
        return plan;
    }

    private void Check(IReadOnlyDictionary<string, Tensor> batch)
    {
        foreach (Value input in graph.Inputs.Where(input => input.Constant is null))
        {
            if (!batch.TryGetValue(input.Name, out Tensor? tensor)) throw new ArgumentException($"a batch has no tensor for input {input}; it has {string.Join(", ", batch.Keys)}", nameof(batch));
            if (tensor.Type != input.Type || input.Shape?.Matches(tensor.Shape) == false) throw new ArgumentException($"a batch gives input {input} a tensor {tensor}", nameof(batch));
        }
        if (batch.Keys.FirstOrDefault(name => graph.Inputs.All(input => input.Name != name)) is { } unknown)
            throw new ArgumentException($"a batch has a tensor '{unknown}', but the model has no such input; it has {string.Join(", ", graph.Inputs)}", nameof(batch));
    }
}
