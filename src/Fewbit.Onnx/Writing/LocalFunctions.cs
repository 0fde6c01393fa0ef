using Fewbit.Graphs;
using Fewbit.Graphs.Operators;
using Fewbit.Onnx.Protos;
using Google.Protobuf.Collections;
using Kind = Fewbit.Onnx.Protos.AttributeProto.Types.AttributeType;

namespace Fewbit.Onnx.Writing;

/// <summary>Writes nodes that round to the numbers of a format without an ONNX type as calls of functions of the model, made of standard operators.</summary>
/// <remarks>
/// The function finds the place of x / scale among the thresholds between neighbouring levels by halving, as the kernel does: the same numbers, bit for bit.
/// The node's attribute thresholds holds them, filled up to a power of two with NaN, which nothing reaches.
/// </remarks>
internal sealed class LocalFunctions(int opset)
{
    private readonly SortedDictionary<string, FunctionProto> _functions = new(StringComparer.Ordinal);

    /// <summary>The functions that were called.</summary>
    public IEnumerable<FunctionProto> Written => _functions.Values;

    /// <summary>The call that a node becomes; null for nodes that no function stands for.</summary>
    public NodeProto? TryCall(Node node)
    {
        if (node is not { Domain: OperatorTable.FewbitDomain, OpType: "LevelQuantize" } || node.Input(2) is not null || node.Floats("levels") is not { } levels || node.Floats("thresholds") is not { } thresholds) return null;
        string format = node.String("format", $"{levels.Length} levels"), name = NameOf(format, levels);
        if (!_functions.ContainsKey(name)) _functions[name] = Function(name, format, levels, thresholds);
        return new()
        {
            Name = node.Name, OpType = name, Domain = node.Domain, Input = { node.Inputs[0]!.Name, node.Inputs[1]!.Name }, Output = { node.Outputs[0].Name },
            DocString = $"simulation of {format} by standard operators, no speed-up",
        };
    }

    /// <summary>A name that ONNX allows; formats that differ only in other characters get numbers.</summary>
    private string NameOf(string format, float[] levels)
    {
        string safe = "Round_" + string.Concat(format.Select(character => char.IsAsciiLetterOrDigit(character) ? character : '_')), name = safe;
        for (int i = 1; _functions.TryGetValue(name, out FunctionProto? known) && !LevelsOf(known).SequenceEqual(levels); i++) name = $"{safe}_{i}";
        return name;
    }

    private static RepeatedField<float> LevelsOf(FunctionProto function) => function.Node.Single(node => node.Output[0] == "levels").Attribute[0].T.FloatData;

    private FunctionProto Function(string name, string format, float[] levels, float[] thresholds)
    {
        var function = new FunctionProto
        {
            Name = name, Domain = OperatorTable.FewbitDomain, Input = { "x", "scale" }, Output = { "y" }, OpsetImport = { new OperatorSetIdProto { Domain = "", Version = opset } },
            DocString = $"The number of {format} nearest to x / scale, times scale. A simulation by standard operators: it brings no speed-up.",
        };
        RepeatedField<NodeProto> nodes = function.Node;
        Add(nodes, "Div", "number", "x", "scale");
        nodes.Add(Constant("levels", new() { DataType = (int)Tensors.ElementType.Float32, Dims = { levels.Length }, FloatData = { levels } }));
        nodes.Add(Constant("thresholds", new() { DataType = (int)Tensors.ElementType.Float32, Dims = { thresholds.Length }, FloatData = { thresholds } }));
        string place = Search(nodes, thresholds.Length);
        Add(nodes, "Gather", "level", "levels", place);
        Add(nodes, "Mul", "rounded", "level", "scale");
        // NaN stays NaN.
        Add(nodes, "IsNaN", "is_nan", "number");
        Add(nodes, "Where", "y", "is_nan", "number", "rounded");
        return function;
    }

    /// <summary>Nodes that count the thresholds up to the number; steps of half the rest.</summary>
    private static string Search(RepeatedField<NodeProto> nodes, int size)
    {
        string? place = null;
        for (int step = size / 2; step > 0; step /= 2)
        {
            string at = $"_{step}";
            nodes.Add(Constant("before" + at, Integer(step - 1)));
            nodes.Add(Constant("step" + at, Integer(step)));
            if (place is null) Add(nodes, "Gather", "threshold" + at, "thresholds", "before" + at);
            else
            {
                Add(nodes, "Add", "index" + at, place, "before" + at);
                Add(nodes, "Gather", "threshold" + at, "thresholds", "index" + at);
            }
            Add(nodes, "GreaterOrEqual", "is_above" + at, "number", "threshold" + at);
            Add(nodes, "Cast", "count" + at, "is_above" + at).Attribute.Add(new AttributeProto { Name = "to", Type = Kind.Int, I = (long)Tensors.ElementType.Int32 });
            Add(nodes, "Mul", "moved" + at, "count" + at, "step" + at);
            if (place is not null) Add(nodes, "Add", "place" + at, place, "moved" + at);
            place = (place is null ? "moved" : "place") + at;
        }
        return place!;
    }

    private static TensorProto Integer(int value) => new() { DataType = (int)Tensors.ElementType.Int32, Int32Data = { value } };

    private static NodeProto Constant(string output, TensorProto value) => new()
    {
        Name = output, OpType = "Constant", Output = { output }, Attribute = { new AttributeProto { Name = "value", Type = Kind.Tensor, T = value } },
    };

    private static NodeProto Add(RepeatedField<NodeProto> nodes, string opType, string output, params ReadOnlySpan<string> inputs)
    {
        var node = new NodeProto { Name = output, OpType = opType, Output = { output } };
        foreach (string input in inputs) node.Input.Add(input);
        nodes.Add(node);
        return node;
    }
}
