using Fewbit.Graphs.Operators.Movement;
using Fewbit.Tensors;

namespace Fewbit.Graphs.Execution;

/// <summary>What a plan is compiled for.</summary>
public sealed record PlanRequest
{
    /// <summary>Shape of each graph input, by name.</summary>
    public required IReadOnlyDictionary<string, Shape> Inputs { get; init; }

    /// <summary>Names of the values to return; null for the outputs of the graph. Any value of the graph may be asked for.</summary>
    public IReadOnlyList<string>? Outputs { get; init; }

    /// <summary>Tensors that take the place of constants, by name. Variables among them are read anew at each run.</summary>
    public IReadOnlyDictionary<string, Tensor>? Bindings { get; init; }

    /// <summary>What a run may cost where the graph has loops.</summary>
    public ExecutionLimits Limits { get; init; } = ExecutionLimits.Default;

    /// <summary>Whether every run looks at every number, and fails where NaN or infinity first appears: the message names the node (of a gradient the forward node too), the element, and the ranges of the node's inputs. For debugging: a run takes several times as long.</summary>
    public bool DetectsAnomalies { get; init; }

    /// <summary>Variables that a run updates: name of the variable, name of the value that becomes its contents when the run ends, or earlier where nothing reads the old contents any more.</summary>
    public IReadOnlyDictionary<string, string>? Updates { get; init; }
}

/// <summary>A graph compiled for fixed input shapes: memory planned once, weights packed once, replayed without allocation.</summary>
/// <remarks>Not for use by two threads at once. Tensors of a run leave it by copy.</remarks>
public sealed class Plan
{
    private readonly Step[] _steps;
    private readonly IReadOnlyList<(Value Value, Func<Tensor?> Read)>[] _computed;
    private readonly Dictionary<string, Tensor> _inputs;
    private readonly Dictionary<string, Func<Tensor>> _outputs;
    private readonly (Func<Tensor> Variable, Func<Tensor> Source)[] _updates;
    private readonly Action<string, Tensor> _rebind;
    private readonly RunBudget _budget;
    private readonly IReadOnlyList<Value> _given;
    private readonly Func<Value, Tensor?> _find;
    private readonly AnomalyDetector? _detector;

    internal Plan(PlanCompiler compiled)
    {
        _steps = compiled.Steps;
        _computed = compiled.Computed;
        _inputs = compiled.InputBuffers;
        _outputs = compiled.OutputReaders;
        _updates = compiled.Updates;
        _rebind = compiled.Rebind;
        _budget = compiled.Budget;
        (_given, _find) = (compiled.Given, compiled.FindAtRun);
        _detector = compiled.DetectsAnomalies ? new(compiled.FindAtRun) : null;
        ArenaBytes = compiled.ArenaBytes;
    }

    /// <summary>Bytes of the memory that all intermediate tensors share.</summary>
    public long ArenaBytes { get; }

    /// <summary>Nodes that a run computes; folded ones are not among them.</summary>
    public int StepCount => _steps.Length;

    /// <summary>Compiles a graph.</summary>
    /// <exception cref="InvalidDataException">A node cannot take the shapes that reach it, or is not supported.</exception>
    /// <exception cref="ArgumentException">A shape is missing, or a name is unknown.</exception>
    public static Plan Compile(Graph graph, PlanRequest request) => new(new PlanCompiler(graph, request));

    /// <summary>The plan's own memory of an input: write here before <see cref="Run()"/> to spare a copy.</summary>
    public Tensor Input(string name) => _inputs.GetValueOrDefault(name) ?? throw new ArgumentException($"the plan has no input '{name}'; it has {string.Join(", ", _inputs.Keys)}", nameof(name));

    /// <summary>Copies the inputs in and runs all steps.</summary>
    /// <param name="inputs">A tensor for each input.</param>
    /// <param name="observe">Called with each value as it is computed, row-major; the tensor holds it only during the call.</param>
    public void Run(IReadOnlyDictionary<string, Tensor> inputs, Action<Value, Tensor>? observe = null)
    {
        CopyIn(inputs);
        Run(observe is null ? null : (value, tensor) => observe(value, tensor.Layout == Layout.RowMajor ? tensor : Reorder.ToRowMajor(tensor)));
    }

    /// <summary>Copies the inputs in, runs all steps, and shows each value in the layout in which it is computed.</summary>
    internal void RunAsLaidOut(IReadOnlyDictionary<string, Tensor> inputs, Action<Value, Tensor> observe)
    {
        CopyIn(inputs);
        Run(observe);
    }

    /// <summary>Runs all steps on what the input buffers hold.</summary>
    public void Run() => Run(observe: null);

    private void CopyIn(IReadOnlyDictionary<string, Tensor> inputs)
    {
        foreach ((string name, Tensor buffer) in _inputs)
        {
            if (!inputs.TryGetValue(name, out Tensor? tensor)) throw new ArgumentException($"no tensor is given for input '{name}'", nameof(inputs));
            if (tensor.Type != buffer.Type || tensor.Shape != buffer.Shape) throw new ArgumentException($"input '{name}' is {tensor}, but the plan is compiled for {buffer}", nameof(inputs));
            if (!tensor.IsAt(buffer)) tensor.CopyTo(buffer);
        }
    }

    private void Run(Action<Value, Tensor>? observe)
    {
        _budget.Restart();
        if (_detector is not null) observe = Detecting(_detector, observe);
        Show(0, observe);
        for (int i = 0; i < _steps.Length; i++)
        {
            _steps[i].Run();
            Show(i + 1, observe);
        }
        foreach ((Func<Tensor> variable, Func<Tensor> source) in _updates)
        {
            (Tensor updated, Tensor kept) = (source(), variable());
            if (!updated.IsAt(kept)) updated.CopyTo(kept);
        }
    }

    /// <summary>Looks at what the run is given, and lets the detector see each value once the observer has.</summary>
    private Action<Value, Tensor> Detecting(AnomalyDetector detector, Action<Value, Tensor>? observe)
    {
        detector.Begin();
        foreach (Value value in _given) detector.SeeGiven(value, _find(value)!);
        return (value, tensor) =>
        {
            observe?.Invoke(value, tensor);
            detector.See(value, tensor);
        };
    }

    /// <summary>Measures each step over several runs on what the input buffers hold.</summary>
    /// <param name="runs">Runs to take the medians of; 1 and up.</param>
    public PlanProfile Profile(int runs = 10)
    {
        Run();
        return PlanProfile.Of(_steps, Require.InRange(runs, 1, 10_000));
    }

    /// <summary>A copy of an output of the last run.</summary>
    public Tensor Output(string name) => Reorder.ToRowMajor(Find(name)());

    /// <summary>Copies an output of the last run into memory of the caller.</summary>
    public void CopyOutput(string name, Tensor destination) => Reorder.Run(Find(name)(), destination);

    /// <summary>Lets a variable be read from other memory, of the same type and shape, from the next run on.</summary>
    public void Rebind(string variable, Tensor tensor) => _rebind(variable, tensor);

    private void Show(int step, Action<Value, Tensor>? observe)
    {
        if (observe is null) return;
        foreach ((Value value, Func<Tensor?> read) in _computed[step])
        {
            if (read() is { } tensor) observe(value, tensor);
        }
    }

    private Func<Tensor> Find(string name) =>
        _outputs.GetValueOrDefault(name) ?? throw new ArgumentException($"the plan has no output '{name}'; it has {string.Join(", ", _outputs.Keys)}", nameof(name));
}
