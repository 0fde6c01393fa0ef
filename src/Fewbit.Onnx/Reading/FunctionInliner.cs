using Fewbit.Onnx.Protos;
using Google.Protobuf.Collections;

namespace Fewbit.Onnx.Reading;

/// <summary>Puts the bodies of model-local functions in the place of their calls, in the message of the model.</summary>
internal sealed class FunctionInliner
{
    // A chain of functions that each call the next one twice doubles with every function.
    private const int MaxDepth = 100;
    private readonly int _maxNodes;
    private readonly Dictionary<(string Domain, string Name, string Overload), FunctionProto> _functions = [];
    private readonly HashSet<string> _names = new(StringComparer.Ordinal);
    private readonly ModelProto _model;
    private readonly Stack<FunctionProto> _active = new();
    private readonly Dictionary<NodeProto, int> _opsets = new(ReferenceEqualityComparer.Instance);
    private int _nodeCount;

    private FunctionInliner(ModelProto model, int maxNodes)
    {
        _maxNodes = maxNodes;
        _model = model;
        foreach (FunctionProto function in model.Functions)
        {
            if (!_functions.TryAdd((ModelReader.DomainName(function.Domain), function.Name, function.Overload), function))
                throw new InvalidDataException($"function '{function.Domain}.{function.Name}' is defined twice");
        }
        CollectNames(model.Graph);
    }

    /// <returns>The version of the standard operators that nodes of functions are written for, where it is not the model's.</returns>
    /// <exception cref="InvalidDataException">A function calls itself, or the model grows beyond bounds.</exception>
    public static IReadOnlyDictionary<NodeProto, int> Inline(ModelProto model, int maxNodes)
    {
        var inliner = new FunctionInliner(model, maxNodes);
        if (model.Functions.Count > 0) inliner.Expand(model.Graph.Node);
        return inliner._opsets;
    }

    private void Expand(RepeatedField<NodeProto> nodes)
    {
        var expanded = new List<NodeProto>(nodes.Count);
        foreach (NodeProto node in nodes)
        {
            if (++_nodeCount > _maxNodes) throw new InvalidDataException($"has more than {_maxNodes} nodes once its functions are expanded, the limit: raise {nameof(OnnxLoadOptions)}.{nameof(OnnxLoadOptions.MaxNodes)} if the model means it");
            if (_functions.TryGetValue((ModelReader.DomainName(node.Domain), node.OpType, node.Overload), out FunctionProto? function))
            {
                expanded.AddRange(Body(function, node));
                continue;
            }
            foreach (GraphProto body in Subgraphs(node)) Expand(body.Node);
            expanded.Add(node);
        }
        nodes.Clear();
        nodes.AddRange(expanded);
    }

    private RepeatedField<NodeProto> Body(FunctionProto function, NodeProto call)
    {
        string what = $"{call.OpType} '{call.Name}'";
        if (_active.Contains(function)) throw new InvalidDataException($"{what}: function '{function.Domain}.{function.Name}' calls itself");
        if (_active.Count >= MaxDepth) throw new InvalidDataException($"{what}: functions call each other more than {MaxDepth} levels deep");
        if (call.Input.Count > function.Input.Count || call.Output.Count > function.Output.Count)
            throw new InvalidDataException($"{what}: has {call.Input.Count} inputs and {call.Output.Count} outputs, but function '{function.Domain}.{function.Name}' has {function.Input.Count} and {function.Output.Count}");
        int? opset = AddImports(function);
        _active.Push(function);
        RepeatedField<NodeProto> body = new FunctionCall(function, call, UniqueName).Instantiate();
        if (opset is { } version) State(body, version);
        Expand(body);
        _active.Pop();
        return body;
    }

    /// <summary>Lets the model import what a function does. The version of the standard operators is returned where the model has another one.</summary>
    private int? AddImports(FunctionProto function)
    {
        int? standard = null;
        foreach (OperatorSetIdProto import in function.OpsetImport)
        {
            string domain = ModelReader.DomainName(import.Domain);
            OperatorSetIdProto? known = _model.OpsetImport.FirstOrDefault(other => ModelReader.DomainName(other.Domain) == domain);
            if (known is null) _model.OpsetImport.Add(import);
            else if (domain.Length > 0) known.Version = Math.Max(known.Version, import.Version);
            else if (known.Version != import.Version) standard = ModelReader.Opset(import.Version);
        }
        return standard;
    }

    private void State(IEnumerable<NodeProto> nodes, int opset)
    {
        foreach (NodeProto node in nodes)
        {
            _opsets[node] = opset;
            foreach (GraphProto body in Subgraphs(node)) State(body.Node, opset);
        }
    }

    private string UniqueName(string name)
    {
        string candidate = name;
        for (int i = 1; !_names.Add(candidate); i++) candidate = $"{name}_{i}";
        return candidate;
    }

    private void CollectNames(GraphProto graph)
    {
        foreach (ValueInfoProto input in graph.Input) _names.Add(input.Name);
        foreach (TensorProto initializer in graph.Initializer) _names.Add(initializer.Name);
        foreach (NodeProto node in graph.Node)
        {
            _names.UnionWith(node.Output);
            foreach (GraphProto body in Subgraphs(node)) CollectNames(body);
        }
    }

    internal static IEnumerable<GraphProto> Subgraphs(NodeProto node) =>
        node.Attribute.SelectMany(attribute => attribute.G is null ? attribute.Graphs : attribute.Graphs.Prepend(attribute.G));
}
