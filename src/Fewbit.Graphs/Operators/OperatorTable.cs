using Fewbit.Graphs.Operators.Control;
using Fewbit.Graphs.Operators.Elementwise;
using Fewbit.Graphs.Operators.Movement;
using Fewbit.Graphs.Operators.Reductions;

namespace Fewbit.Graphs.Operators;

/// <summary>Every operator that the engine knows, by family.</summary>
internal static class OperatorTable
{
    /// <summary>Domain of the operators that only Fewbit's passes make.</summary>
    public const string FewbitDomain = "ai.fewbit";

    /// <summary>Domain of ONNX Runtime's own operators.</summary>
    public const string MicrosoftDomain = "com.microsoft";

    /// <summary>Domain of standard operators that are not final yet.</summary>
    public const string PreviewDomain = "ai.onnx.preview";

    private static readonly OperatorRegistry Registry = Build();

    /// <summary>Domain and type of every operator, in the order of names.</summary>
    public static IEnumerable<(string Domain, string OpType)> Names => Registry.Names;

    public static bool Contains(Node node) => Registry.Find(node) is not null;

    /// <exception cref="InvalidDataException">The operator is not known, or an attribute is wrong.</exception>
    public static IOperator Parse(Node node) => Registry.Find(node)?.Invoke(node)
        ?? throw node.Fail($"the operator is not supported (domain '{(node.Domain.Length == 0 ? "ai.onnx" : node.Domain)}', opset {node.OpsetVersion})");

    private static OperatorRegistry Build()
    {
        var registry = new OperatorRegistry();
        ControlOperators.Register(registry);
        ElementwiseOperators.Register(registry);
        ConvolutionOperators.Register(registry);
        MatrixOperators.Register(registry);
        PoolingOperators.Register(registry);
        NormalizationOperators.Register(registry);
        ResamplingOperators.Register(registry);
        RecurrentOperators.Register(registry);
        AttentionOperators.Register(registry);
        UnaryOperators.Register(registry);
        MovementOperators.Register(registry);
        ReductionOperators.Register(registry);
        LossOperators.Register(registry);
        SignalOperators.Register(registry);
        DetectionOperators.Register(registry);
        TextOperators.Register(registry);
        ContributedOperators.Register(registry);
        LearningOperators.Register(registry);
        Quantized.QuantizedOperators.Register(registry);
        return registry;
    }
}

/// <summary>Parsers by domain and operator type.</summary>
internal sealed class OperatorRegistry
{
    private readonly Dictionary<(string Domain, string OpType), Func<Node, IOperator>> _parsers = [];

    public IEnumerable<(string Domain, string OpType)> Names => _parsers.Keys.OrderBy(key => key.Domain, StringComparer.Ordinal).ThenBy(key => key.OpType, StringComparer.Ordinal);

    /// <summary>Adds an operator. The parser reads the attributes, for the opset version of the node.</summary>
    public void Add(string opType, Func<Node, IOperator> parse, string domain = "") => _parsers.Add((domain, opType), parse);

    public Func<Node, IOperator>? Find(Node node) => _parsers.GetValueOrDefault((node.Domain == "ai.onnx" ? "" : node.Domain, node.OpType));
}
