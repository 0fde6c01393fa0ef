using Fewbit.Graphs.Operators;
using Fewbit.Tensors;

namespace Fewbit.Graphs.Execution;

/// <summary>What the body of a control-flow node is compiled for.</summary>
/// <param name="Given">Inputs of the body and values around it that differ from run to run.</param>
/// <param name="Known">The tensor of a value around the body that never changes; null for other values.</param>
/// <param name="Budget">Limits of the run around it.</param>
internal sealed record BodyRequest(IReadOnlyDictionary<Value, Tensor> Given, Func<Value, Tensor?> Known, RunBudget Budget);

/// <summary>Runs the bodies of one node of a plan.</summary>
/// <remarks>A body is compiled for the first shapes that reach it while the node runs. A body whose shapes keep changing is interpreted from then on.</remarks>
internal sealed class BodyScope(PlanCompiler outer) : IScope
{
    private readonly Dictionary<Graph, CompiledBodies> _bodies = [];
    private readonly IScope _interpreter = new Interpreter(outer.Budget).ScopeAround(outer.FindAtRun, outer.Budget);

    public RunBudget Budget => outer.Budget;

    /// <summary>Begins a run of the node.</summary>
    public void Begin()
    {
        foreach (CompiledBodies bodies in _bodies.Values) bodies.Begin();
    }

    public Tensor[] Run(Graph body, IReadOnlyList<Tensor> inputs)
    {
        if (!_bodies.TryGetValue(body, out CompiledBodies? compiled)) _bodies.Add(body, compiled = new(body, outer));
        return compiled.Run(inputs) ?? _interpreter.Run(body, inputs);
    }
}

/// <summary>A body, compiled for several signatures: types and shapes of its inputs and of the values around it.</summary>
internal sealed class CompiledBodies(Graph body, PlanCompiler outer)
{
    private const int SignaturesOfARun = 4, Kept = 8;
    private readonly Value[] _captured = [.. body.CapturedValues().Where(value => outer.TensorOf(value) is null)];
    private readonly List<((ElementType Type, Shape Shape)[] Signature, PlanCompiler Plan)> _plans = [];
    private readonly HashSet<PlanCompiler> _usedByThisRun = [];

    public void Begin() => _usedByThisRun.Clear();

    /// <summary>The outputs; null where the run has met too many signatures already.</summary>
    public Tensor[]? Run(IReadOnlyList<Tensor> inputs)
    {
        Tensor[] given = [.. inputs, .. _captured.Select(value => outer.FindAtRun(value) ?? throw new InvalidOperationException($"Bug in the plan: body '{body.Name}' reads {value} before it is computed"))];
        if (PlanFor(given) is not { } plan) return null;
        for (int i = 0; i < given.Length; i++) plan.Bind(ValueOf(i), given[i]);
        foreach (Step step in plan.Steps) step.Run();
        return [.. body.Outputs.Select(output => plan.Detach(plan.FindAtRun(output) ?? throw new InvalidDataException($"graph '{body.Name}': nothing computes output {output}")))];
    }

    private Value ValueOf(int index) => index < body.Inputs.Count ? body.Inputs[index] : _captured[index - body.Inputs.Count];

    private PlanCompiler? PlanFor(Tensor[] given)
    {
        int index = _plans.FindIndex(entry => entry.Signature.Zip(given).All(pair => pair.First.Type == pair.Second.Type && pair.First.Shape == pair.Second.Shape));
        if (index >= 0 && _usedByThisRun.Contains(_plans[index].Plan)) return _plans[index].Plan;
        if (_usedByThisRun.Count >= SignaturesOfARun) return null;
        PlanCompiler plan = index >= 0 ? _plans[index].Plan : Compile(given);
        if (index >= 0) _plans.RemoveAt(index);
        _plans.Add(([.. given.Select(tensor => (tensor.Type, tensor.Shape))], plan));
        if (_plans.Count > Kept) _plans.RemoveAt(0);
        _usedByThisRun.Add(plan);
        return plan;
    }

    private PlanCompiler Compile(Tensor[] given)
    {
        var bound = new Dictionary<Value, Tensor>();
        for (int i = 0; i < given.Length; i++) bound[ValueOf(i)] = given[i];
        return new(body, new() { Inputs = new Dictionary<string, Shape>() }, new(bound, outer.TensorOf, outer.Budget));
    }
}
