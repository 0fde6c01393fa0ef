using Fewbit.Tensors;

namespace Fewbit.Graphs;

/// <summary>A place where a node reads a value.</summary>
/// <param name="Node">The node that reads.</param>
/// <param name="Index">Its input number.</param>
public readonly record struct Use(Node Node, int Index);

/// <summary>A named tensor of a graph: a graph input, a constant (initializer) or a node's output.</summary>
public sealed partial class Value
{
    private readonly List<Use> _uses = [];

    internal Value(Graph graph, string name) => (Graph, Name) = (graph, name);

    /// <summary>The graph that owns the value.</summary>
    public Graph Graph { get; }

    /// <summary>Unique within the graph and the graphs around it.</summary>
    public string Name { get; internal set; }

    /// <summary>Element type; Undefined until inferred.</summary>
    public ElementType Type { get; set; }

    /// <summary>Shape; null while the rank is unknown.</summary>
    public SymbolicShape? Shape { get; set; }

    /// <summary>How the value lies in memory; only passes that prepare a graph for running set another than row-major.</summary>
    public Layout Layout { get; set; }

    /// <summary>The initializer; null where the value is computed or fed.</summary>
    public Tensor? Constant { get; private set; }

    /// <summary>True where a value is not to be folded into its consumers, because a binding replaces it or training changes it.</summary>
    public bool IsVariable { get; set; }

    /// <summary>True where somebody looks at the value during a run: fusion must leave it.</summary>
    internal bool IsObserved { get; set; }

    /// <summary>The node that computes the value; null for inputs and constants.</summary>
    public Node? Producer { get; internal set; }

    /// <summary>What <see cref="Node.GradientOf"/> says of the producer: it stays where another node takes over the value.</summary>
    internal string? GradientOf { get; set; }

    /// <summary>What the value was before passes changed it: batch-norm statistics that were folded into it.</summary>
    public FoldedBatchNorm? FoldedBatchNorm { get; set; }

    /// <summary>What the file says of the value beyond this: the reader of the format leaves it here for the writer.</summary>
    internal object? Origin { get; set; }

    /// <summary>Where nodes read the value; graph outputs are not among them.</summary>
    public IReadOnlyList<Use> Uses => _uses;

    /// <summary>True for a constant that passes may fold.</summary>
    public bool IsConstant => Constant is not null && !IsVariable;

    /// <summary>True where the graph returns the value.</summary>
    public bool IsOutput => Graph.Outputs.Contains(this);

    /// <summary>Makes the value an initializer, or replaces its contents; type and shape follow.</summary>
    public void SetConstant(Tensor constant)
    {
        Constant = constant;
        Type = constant.Type;
        Shape = SymbolicShape.From(constant.Shape);
    }

    /// <summary>Lets every node and graph output read <paramref name="other"/> instead of this value.</summary>
    public void ReplaceAllUsesWith(Value other)
    {
        foreach (Use use in _uses.ToArray()) use.Node.SetInput(use.Index, other);
        Graph.ReplaceOutput(this, other);
    }

    internal void AddUse(Use use) => _uses.Add(use);

    internal void RemoveUse(Use use) => _uses.Remove(use);

    /// <summary>The form of messages: 'conv1/out' float32 [N, 64, 56, 56].</summary>
    public override string ToString() => $"'{Name}' {Type.Name()} {Shape?.ToString() ?? "of unknown rank"}";
}
