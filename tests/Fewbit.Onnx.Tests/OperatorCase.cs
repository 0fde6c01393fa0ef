using System.Globalization;
using System.Text.RegularExpressions;
using Fewbit.Graphs;
using Fewbit.Graphs.Operators;
using Fewbit.Onnx.Protos;
using Fewbit.Tensors;
using Google.Protobuf;

namespace Fewbit.Onnx.Tests;

/// <summary>One line of operator-cases.txt: a node with its inputs, as a model and as tensors.</summary>
/// <remarks>
/// <c>Softmax-13 f[2,3] axis=1</c> is Softmax of opset 13 of random float32 numbers. An input is a type with a shape, values or both: <c>i64{1,2}</c>, <c>f[2,2]{1,2,3,4}</c>, <c>i64()3</c> (a scalar);
/// <c>-</c> is a left-out input, <c>f[2,3]:0:1</c> bounds the numbers, <c>&gt;2</c> is the number of outputs, <c>ms.</c> before the operator names the domain com.microsoft.
/// </remarks>
internal sealed partial class OperatorCase
{
    private static readonly Dictionary<string, ElementType> Types = new()
    {
        ["f"] = ElementType.Float32, ["d"] = ElementType.Float64, ["h"] = ElementType.Float16, ["bf"] = ElementType.BFloat16, ["b"] = ElementType.Bool, ["i8"] = ElementType.Int8, ["u8"] = ElementType.UInt8, ["i16"] = ElementType.Int16,
        ["u16"] = ElementType.UInt16, ["i32"] = ElementType.Int32, ["u32"] = ElementType.UInt32, ["i64"] = ElementType.Int64, ["u64"] = ElementType.UInt64,
    };

    private readonly string _opType;
    private readonly string _domain;
    private readonly int _opset;
    private readonly int _outputs = 1;
    private readonly List<string> _inputs = [];
    private readonly List<AttributeProto> _attributes = [];

    public OperatorCase(string line)
    {
        string[] words = line.Split(' ', StringSplitOptions.RemoveEmptyEntries);
        Match head = Head().Match(words[0]);
        if (!head.Success) throw new FormatException($"'{words[0]}' is no operator with its opset");
        (_domain, _opType, _opset) = (head.Groups[1].Success ? OperatorTable.MicrosoftDomain : "", head.Groups[2].Value, int.Parse(head.Groups[3].Value, CultureInfo.InvariantCulture));
        var random = new Random(7);
        foreach (string word in words.Skip(1))
        {
            if (word[0] == '>') _outputs = int.Parse(word.AsSpan(1), CultureInfo.InvariantCulture);
            else if (word == "-") _inputs.Add("");
            else if (Input().Match(word) is { Success: true } input) AddInput(input, random);
            else AddAttribute(word);
        }
    }

    /// <summary>The tensors of the inputs that are there.</summary>
    public Dictionary<string, Tensor> Inputs { get; } = [];

    /// <summary>The node as the graph reader gives it, inputs but the first as constants.</summary>
    public Graph WithConstants()
    {
        Graph graph = OnnxFile.Load(Model(statesShapes: true).ToByteArray());
        foreach (Value input in graph.Inputs.Skip(1).ToArray())
        {
            graph.RemoveInput(input);
            input.SetConstant(Inputs[input.Name]);
        }
        return graph;
    }

    /// <param name="statesShapes">Whether the inputs state their lengths; otherwise their ranks only.</param>
    public ModelProto Model(bool statesShapes)
    {
        var node = new NodeProto { OpType = _opType, Domain = _domain, Name = "node", Input = { _inputs }, Attribute = { _attributes } };
        var graph = new GraphProto { Name = "graph", Node = { node } };
        foreach ((string name, Tensor tensor) in Inputs)
        {
            var type = new TypeProto.Types.Tensor { ElemType = (int)tensor.Type, Shape = new() };
            for (int axis = 0; axis < tensor.Rank; axis++) type.Shape.Dim.Add(statesShapes ? new TensorShapeProto.Types.Dimension { DimValue = tensor.Shape[axis] } : new() { DimParam = $"{name}_{axis}" });
            graph.Input.Add(new ValueInfoProto { Name = name, Type = new() { TensorType = type } });
        }
        for (int i = 0; i < _outputs; i++)
        {
            node.Output.Add($"y{i}");
            graph.Output.Add(new ValueInfoProto { Name = $"y{i}" });
        }
        var model = new ModelProto { IrVersion = 10, Graph = graph, OpsetImport = { new OperatorSetIdProto { Domain = "", Version = _domain.Length == 0 ? _opset : 21 } } };
        if (_domain.Length > 0) model.OpsetImport.Add(new OperatorSetIdProto { Domain = _domain, Version = _opset });
        return model;
    }

    private void AddInput(Match word, Random random)
    {
        ElementType type = Types[word.Groups[1].Value];
        double[] values = [.. Numbers(word.Groups[3].Success ? word.Groups[3].Value : word.Groups[4].Value)];
        bool isGiven = word.Groups[3].Success || word.Groups[4].Success;
        Shape shape = word.Groups[2].Success ? new([.. Numbers(word.Groups[2].Value).Select(length => (long)length)]) : word.Groups[3].Success ? [values.Length] : [];
        (double low, double high) = word.Groups[5].Success ? (Number(word.Groups[5].Value), Number(word.Groups[6].Value)) : type.IsFloat() ? (-2, 2) : (0, 5);
        Tensor numbers = Tensor.Allocate(ElementType.Float64, shape);
        foreach (ref double number in numbers.Span<double>()) number = type.IsFloat() ? low + random.NextDouble() * (high - low) : random.Next((int)low, (int)high + 1);
        if (isGiven) values.CopyTo(numbers.Span<double>());
        string name = $"x{_inputs.Count}";
        _inputs.Add(name);
        Inputs.Add(name, Casting.Convert(numbers, type));
    }

    private void AddAttribute(string word)
    {
        string[] parts = word.Split('=', 2);
        (string name, string value) = (parts[0], parts[1]);
        bool isReal = value.Contains('.', StringComparison.Ordinal) || value.Contains("e-", StringComparison.Ordinal), isNumber = double.TryParse(value, NumberStyles.Float, CultureInfo.InvariantCulture, out double number);
        double[] list = value[0] == '[' ? [.. Numbers(value[1..^1])] : [];
        _attributes.Add(value[0] == '[' ? isReal ? OneNodeModel.Floats(name, [.. list.Select(v => (float)v)]) : OneNodeModel.Ints(name, [.. list.Select(v => (long)v)])
            : !isNumber ? value.Contains('|', StringComparison.Ordinal) ? Texts(name, value.Split('|', StringSplitOptions.RemoveEmptyEntries)) : OneNodeModel.Text(name, value)
            : isReal ? OneNodeModel.Real(name, (float)number) : OneNodeModel.Int(name, (long)number));
    }

    private static AttributeProto Texts(string name, string[] values)
    {
        var attribute = new AttributeProto { Name = name, Type = AttributeProto.Types.AttributeType.Strings };
        attribute.Strings.AddRange(values.Select(ByteString.CopyFromUtf8));
        return attribute;
    }

    private static IEnumerable<double> Numbers(string list) => list.Split(',', StringSplitOptions.RemoveEmptyEntries).Select(Number);

    private static double Number(string text) => text switch
    {
        "inf" => double.PositiveInfinity,
        "-inf" => double.NegativeInfinity,
        "nan" => double.NaN,
        _ => double.Parse(text, CultureInfo.InvariantCulture),
    };

    [GeneratedRegex(@"^(ms\.)?(\w+)-(\d+)$")]
    private static partial Regex Head();

    [GeneratedRegex(@"^([a-z]+\d*)(?:\[([\d,]*)\])?(?:\{([^}]*)\}|\(\)(\S+))?(?::([-\d.]+):([-\d.]+))?$")]
    private static partial Regex Input();
}
