using Fewbit.Graphs.Operators;
using Fewbit.Tensors;

namespace Fewbit.Graphs.Execution;

/// <summary>Runs a graph node by node, with every tensor at hand: for debugging, control flow, constant folding and any element type.</summary>
public sealed class Interpreter
{
    private readonly ScratchSpace _scratch = new();
    private readonly RunBudget _budget;
    private readonly Dictionary<Graph, Dictionary<Value, int>> _lastReaders = [];

    /// <param name="limits">What a run may cost; null for <see cref="ExecutionLimits.Default"/>.</param>
    public Interpreter(ExecutionLimits? limits = null) : this(new RunBudget(limits ?? ExecutionLimits.Default))
    {
    }

    /// <summary>Whether a run looks at every number, and fails where NaN or infinity first appears: the message names the node, the element, and the ranges of the node's inputs.</summary>
    public bool DetectsAnomalies { get; init; }

    /// <summary>An interpreter of nodes of another run, whose limits count.</summary>
    internal Interpreter(RunBudget budget) => _budget = budget;

    /// <summary>Runs the graph once.</summary>
    /// <param name="graph">The graph.</param>
    /// <param name="inputs">A tensor for each input, by name; a binding may replace constants by name in the same way.</param>
    /// <param name="observe">Called for each value when it is computed; null for none.</param>
    /// <returns>The outputs in their order.</returns>
    /// <exception cref="ArgumentException">An input is missing.</exception>
    /// <exception cref="InvalidDataException">A node cannot take the tensors that reach it.</exception>
    public Tensor[] Run(Graph graph, IReadOnlyDictionary<string, Tensor> inputs, Action<Value, Tensor>? observe = null)
    {
        Frame frame = Begin(graph, inputs, observe);
        return Run(graph, frame);
    }

    /// <summary>Runs the graph node by node: each runs when the caller asks for it, and its inputs and outputs are at hand until the next is asked for. A node with bodies (If, Loop, Scan) is one step.</summary>
    /// <param name="graph">The graph.</param>
    /// <param name="inputs">As of <see cref="Run(Graph, IReadOnlyDictionary{string, Tensor}, Action{Value, Tensor}?)"/>.</param>
    /// <exception cref="ArgumentException">An input is missing.</exception>
    /// <exception cref="InvalidDataException">A node cannot take the tensors that reach it.</exception>
    public IEnumerable<NodeStep> Steps(Graph graph, IReadOnlyDictionary<string, Tensor> inputs)
    {
        Frame frame = Begin(graph, inputs, null);
        return Walk(graph, frame).Select(step => new NodeStep(step.Node, [.. step.Node.Inputs.Select(input => input is null ? null : frame.Find(input))], step.Outputs));
    }

    /// <summary>The tensors that a run is given.</summary>
    private Frame Begin(Graph graph, IReadOnlyDictionary<string, Tensor> inputs, Action<Value, Tensor>? observe)
    {
        _budget.Restart();
        _lastReaders.Clear();
        var tensors = new Dictionary<Value, Tensor>();
        foreach (Value input in graph.Inputs)
        {
            if (inputs.TryGetValue(input.Name, out Tensor? tensor)) tensors[input] = tensor;
            else if (input.Constant is null) throw new ArgumentException($"no tensor is given for input {input}", nameof(inputs));
        }
        foreach (Value constant in graph.Constants)
        {
            if (inputs.TryGetValue(constant.Name, out Tensor? bound)) tensors[constant] = bound;
        }
        return new Frame(this, tensors, _budget, null, DetectsAnomalies ? Detecting(tensors, observe) : observe);
    }

    private static Action<Value, Tensor> Detecting(Dictionary<Value, Tensor> given, Action<Value, Tensor>? observe)
    {
        var detector = new AnomalyDetector(value => value.Constant);
        foreach ((Value value, Tensor tensor) in given) detector.SeeGiven(value, tensor);
        return (value, tensor) =>
        {
            observe?.Invoke(value, tensor);
            detector.See(value, tensor);
        };
    }

    /// <summary>Runs one node on tensors, and returns its outputs.</summary>
    internal Tensor[] RunNode(Node node, Func<Value, Tensor?> find, IScope? scope = null)
    {
        var source = new TensorSource(find);
        OperatorCalls.Infer(node, source);
        var inputs = node.Inputs.Select(value => value is null ? null : find(value)
            ?? throw new InvalidOperationException($"Bug in the interpreter: {node} reads {value} before it is computed")).ToArray();
        var outputs = new Tensor?[node.Outputs.Count];
        for (int i = 0; i < outputs.Length; i++) outputs[i] = Allocate(node, node.Outputs[i], source.OutputOf(node.Outputs[i]));
        var context = new EvaluationContext(node, inputs, outputs, _scratch) { Scope = scope };
        OperatorCalls.Evaluate(node, context);
        return [.. Enumerable.Range(0, outputs.Length).Select(i => context.OutputOrNull(i) ?? throw node.Fail($"has {outputs.Length} outputs, but computes nothing for number {i}"))];
    }

    private Tensor? Allocate(Node node, Value output, (ElementType Type, SymbolicShape? Shape) stated)
    {
        if (stated.Shape is not { IsKnown: true } known) return null;
        Shape shape = OperatorCalls.ToShape(node, known);
        _budget.ExpectFits(node, output, stated.Type, shape);
        return Tensor.AllocateUninitialized(stated.Type, shape, output.Layout);
    }

    /// <summary>Runs bodies whose surroundings are a plan's.</summary>
    internal IScope ScopeAround(Func<Value, Tensor?> outer, RunBudget budget) => new Surroundings(this, value => outer(value) ?? value.Constant, budget);

    private Tensor[] Run(Graph graph, Frame frame)
    {
        foreach (var _ in Walk(graph, frame))
        {
        }
        return [.. graph.Outputs.Select(output => frame.Find(output) ?? throw new InvalidDataException($"graph '{graph.Name}': nothing computes output {output}"))];
    }

    /// <summary>Runs node after node; what nobody reads any more is given back before the next.</summary>
    private IEnumerable<(Node Node, Tensor[] Outputs)> Walk(Graph graph, Frame frame)
    {
        Dictionary<Value, Tensor> tensors = frame.Tensors;
        if (!_lastReaders.TryGetValue(graph, out Dictionary<Value, int>? lastReader)) _lastReaders[graph] = lastReader = LastReaders(graph);
        for (int i = 0; i < graph.Nodes.Count; i++)
        {
            Node node = graph.Nodes[i];
            Tensor[] outputs = RunNode(node, frame.Find, frame);
            for (int o = 0; o < outputs.Length; o++)
            {
                frame.Budget.Take(node, outputs[o].ByteCount);
                tensors[node.Outputs[o]] = outputs[o];
                frame.Observe?.Invoke(node.Outputs[o], outputs[o]);
            }
            yield return (node, outputs);
            foreach (Value? input in node.Inputs)
            {
                if (input is not null && lastReader.GetValueOrDefault(input, -1) == i && tensors.Remove(input, out Tensor? read) && input.Producer is not null) frame.Budget.GiveBack(read.ByteCount);
            }
        }
        foreach ((Value value, Tensor tensor) in tensors)
        {
            if (value.Producer is not null) frame.Budget.GiveBack(tensor.ByteCount);
        }
    }

    /// <summary>The last node that reads each value directly; values that outputs or subgraphs read are kept.</summary>
    private static Dictionary<Value, int> LastReaders(Graph graph)
    {
        var last = new Dictionary<Value, int>();
        var kept = new HashSet<Value>(graph.Outputs);
        for (int i = 0; i < graph.Nodes.Count; i++)
        {
            foreach (Value? input in graph.Nodes[i].Inputs)
            {
                if (input is not null) last[input] = i;
            }
            foreach (Graph body in graph.Nodes[i].Subgraphs()) kept.UnionWith(body.CapturedValues());
        }
        foreach (Value value in kept) last.Remove(value);
        return last;
    }

    /// <summary>What surrounds bodies that run: the tensors of other values, and what a run may cost.</summary>
    private class Surroundings(Interpreter interpreter, Func<Value, Tensor?> find, RunBudget budget, Action<Value, Tensor>? observe = null) : IScope
    {
        public RunBudget Budget => budget;

        public Action<Value, Tensor>? Observe => observe;

        public Tensor? Find(Value value) => find(value);

        public Tensor[] Run(Graph body, IReadOnlyList<Tensor> inputs)
        {
            if (inputs.Count != body.Inputs.Count) throw new InvalidDataException($"graph '{body.Name}' takes {body.Inputs.Count} inputs, but is given {inputs.Count}");
            var given = new Dictionary<Value, Tensor>();
            for (int i = 0; i < inputs.Count; i++) given[body.Inputs[i]] = inputs[i];
            return interpreter.Run(body, new Frame(interpreter, given, budget, this, observe));
        }
    }

    /// <summary>The tensors of one running graph; the others are those of the graphs around it.</summary>
    private sealed class Frame(Interpreter interpreter, Dictionary<Value, Tensor> tensors, RunBudget budget, Surroundings? parent, Action<Value, Tensor>? observe)
        : Surroundings(interpreter, value => tensors.GetValueOrDefault(value) ?? (parent is null ? value.Constant : parent.Find(value)), budget, observe)
    {
        public Dictionary<Value, Tensor> Tensors => tensors;
    }
}
