using System.Globalization;
using Fewbit.Onnx.Protos;
using Fewbit.Tensors;
using Google.Protobuf;
using Kind = Fewbit.Onnx.Protos.AttributeProto.Types.AttributeType;

namespace Fewbit.Fuzzing.Models;

/// <summary>A model of one node, from a line such as <c>Conv | f32[1,2,5,5] f32*[3,2,3,3] | pads=1,1,1,1</c>.</summary>
/// <remarks>
/// Before the first bar: domain, operator, <c>@opset</c>, <c>&gt;outputs</c>. Then the inputs: element type, <c>*</c> for an initializer,
/// shape; <c>=1,2</c> gives elements; <c>-</c> is left out. Then the attributes: an integer, a real number (with a point), a text, or several with commas
/// (a trailing comma makes a list of one).
/// </remarks>
internal static class SeedNode
{
    public const int DefaultOpset = 23;

    private static readonly Dictionary<string, ElementType> Types = new(StringComparer.Ordinal)
    {
        ["f32"] = ElementType.Float32, ["f64"] = ElementType.Float64, ["f16"] = ElementType.Float16, ["bf16"] = ElementType.BFloat16,
        ["i64"] = ElementType.Int64, ["i32"] = ElementType.Int32, ["i16"] = ElementType.Int16, ["i8"] = ElementType.Int8, ["i4"] = ElementType.Int4, ["i2"] = ElementType.Int2,
        ["u64"] = ElementType.UInt64, ["u32"] = ElementType.UInt32, ["u16"] = ElementType.UInt16, ["u8"] = ElementType.UInt8, ["u4"] = ElementType.UInt4, ["u2"] = ElementType.UInt2,
        ["bool"] = ElementType.Bool, ["f8"] = ElementType.Float8E4M3FN, ["f4"] = ElementType.Float4E2M1, ["c64"] = ElementType.Complex64,
    };

    public static ModelProto Parse(string line)
    {
        string[] parts = line.Split('|', StringSplitOptions.TrimEntries);
        string[] head = parts[0].Split('@', '>');
        int opset = parts[0].Contains('@', StringComparison.Ordinal) ? int.Parse(head[1], CultureInfo.InvariantCulture) : DefaultOpset;
        int outputs = parts[0].Contains('>', StringComparison.Ordinal) ? int.Parse(head[^1], CultureInfo.InvariantCulture) : 1;
        int dot = head[0].LastIndexOf('.');
        var node = new NodeProto { OpType = head[0][(dot + 1)..], Name = "node" };
        if (dot > 0) node.Domain = head[0][..dot];
        var graph = new GraphProto { Name = "graph", Node = { node } };
        foreach (string input in Words(parts, 1)) AddInput(graph, node, input);
        foreach (string attribute in Words(parts, 2)) node.Attribute.Add(Attribute(attribute));
        for (int i = 0; i < outputs; i++)
        {
            node.Output.Add($"y{i}");
            graph.Output.Add(new ValueInfoProto { Name = $"y{i}" });
        }
        var model = new ModelProto { IrVersion = 10, Graph = graph, OpsetImport = { new OperatorSetIdProto { Domain = "", Version = opset } } };
        if (dot > 0) model.OpsetImport.Add(new OperatorSetIdProto { Domain = node.Domain, Version = 1 });
        return model;
    }

    private static string[] Words(string[] parts, int index) => parts.Length > index ? parts[index].Split(' ', StringSplitOptions.RemoveEmptyEntries) : [];

    private static void AddInput(GraphProto graph, NodeProto node, string text)
    {
        string name = text == "-" ? "" : $"x{node.Input.Count}";
        node.Input.Add(name);
        if (name.Length == 0) return;
        string[] sides = text.Split('=');
        string type = sides[0].Split('*', '[')[0];
        long[] dims = sides[0].Contains('[', StringComparison.Ordinal) ? Numbers(sides[0][(sides[0].IndexOf('[', StringComparison.Ordinal) + 1)..^1])
            : sides.Length > 1 ? [Values(sides[1]).Length] : [];
        bool isConstant = sides.Length > 1 || sides[0].Contains('*', StringComparison.Ordinal);
        if (isConstant) graph.Initializer.Add(ModelParts.Tensor(name, Types[type], dims, sides.Length > 1 ? Values(sides[1]) : null));
        else graph.Input.Add(ModelParts.Declare(name, Types[type], dims));
    }

    private static long[] Numbers(string text) => [.. text.Split(',', StringSplitOptions.RemoveEmptyEntries).Select(number => long.Parse(number, CultureInfo.InvariantCulture))];

    private static double[] Values(string text) => [.. text.Split(',', StringSplitOptions.RemoveEmptyEntries).Select(number => double.Parse(number, CultureInfo.InvariantCulture))];

    private static AttributeProto Attribute(string text)
    {
        int equals = text.IndexOf('=', StringComparison.Ordinal);
        (string name, string value) = (text[..equals], text[(equals + 1)..]);
        string[] items = value.Split(',', StringSplitOptions.RemoveEmptyEntries);
        bool isList = value.Contains(',', StringComparison.Ordinal) && name != "equation";
        if (name == "equation") items = [value];
        var attribute = new AttributeProto { Name = name };
        if (items.All(item => long.TryParse(item, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out _)))
        {
            if (isList) attribute.Ints.AddRange(Numbers(value));
            else attribute.I = Numbers(value)[0];
            attribute.Type = isList ? Kind.Ints : Kind.Int;
        }
        else if (items.All(item => double.TryParse(item, NumberStyles.Float, CultureInfo.InvariantCulture, out _)))
        {
            if (isList) attribute.Floats.AddRange(Values(value).Select(number => (float)number));
            else attribute.F = (float)Values(value)[0];
            attribute.Type = isList ? Kind.Floats : Kind.Float;
        }
        else
        {
            if (isList) attribute.Strings.AddRange(items.Select(ByteString.CopyFromUtf8));
            else attribute.S = ByteString.CopyFromUtf8(value);
            attribute.Type = isList ? Kind.Strings : Kind.String;
        }
        return attribute;
    }
}
