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
        return Run(graph, tensors, new Frame(this, tensors.GetValueOrDefault, _budget, null, observe));
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
    internal IScope ScopeAround(Func<Value, Tensor?> outer, RunBudget budget) => new Frame(this, outer, budget);

    private Tensor[] Run(Graph graph, Dictionary<Value, Tensor> tensors, Frame frame)
    {
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
            foreach (Value? input in node.Inputs)
            {
                if (input is not null && lastReader.GetValueOrDefault(input, -1) == i && tensors.Remove(input, out Tensor? read) && input.Producer is not null) frame.Budget.GiveBack(read.ByteCount);
            }
        }
        foreach ((Value value, Tensor tensor) in tensors)
        {
            if (value.Producer is not null) frame.Budget.GiveBack(tensor.ByteCount);
        }
        return [.. graph.Outputs.Select(output => frame.Find(output) ?? throw new InvalidDataException($"graph '{graph.Name}': nothing computes output {output}"))];
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

    /// <summary>The tensors of one running graph, and of the graphs around it.</summary>
    private sealed class Frame(Interpreter interpreter, Func<Value, Tensor?> own, RunBudget budget, Frame? parent = null, Action<Value, Tensor>? observe = null) : IScope
    {
        public RunBudget Budget => budget;

        public Action<Value, Tensor>? Observe => observe;

        public Tensor? Find(Value value) => own(value) ?? (parent is null ? value.Constant : parent.Find(value));

        public Tensor[] Run(Graph body, IReadOnlyList<Tensor> inputs)
        {
            if (inputs.Count != body.Inputs.Count) throw new InvalidDataException($"graph '{body.Name}' takes {body.Inputs.Count} inputs, but is given {inputs.Count}");
            var given = new Dictionary<Value, Tensor>();
            for (int i = 0; i < inputs.Count; i++) given[body.Inputs[i]] = inputs[i];
            return interpreter.Run(body, given, new(interpreter, given.GetValueOrDefault, budget, this, observe));
        }
    }
}
