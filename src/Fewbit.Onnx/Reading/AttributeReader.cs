using System.Text;
using Fewbit.Graphs;
using Fewbit.Onnx.Protos;
using Google.Protobuf;
using Kind = Fewbit.Onnx.Protos.AttributeProto.Types.AttributeType;

namespace Fewbit.Onnx.Reading;

/// <summary>The attributes of one node.</summary>
internal sealed class AttributeReader(TensorReader tensors, string node, Func<GraphProto, Graph> readGraph)
{
    private static readonly UTF8Encoding StrictUtf8 = new(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true);

    public Attributes Read(IEnumerable<AttributeProto> protos)
    {
        var attributes = new Attributes();
        foreach (AttributeProto proto in protos)
        {
            string what = $"{node}: attribute '{proto.Name}'";
            if (attributes.Contains(proto.Name)) throw new InvalidDataException($"{what} is given twice");
            if (proto.RefAttrName.Length > 0) throw new InvalidDataException($"{what} refers to attribute '{proto.RefAttrName}' of a function, but the node is in none");
            attributes.Add(proto.Name, Value(proto, what));
        }
        return attributes;
    }

    private object Value(AttributeProto proto, string what) => KindOf(proto) switch
    {
        Kind.Float => proto.F,
        Kind.Int => proto.I,
        Kind.String => Text(proto.S, what),
        Kind.Tensor => tensors.Read(proto.T ?? throw Empty(what), what),
        Kind.Graph => readGraph(proto.G ?? throw Empty(what)),
        Kind.Floats => proto.Floats.ToArray(),
        Kind.Ints => proto.Ints.ToArray(),
        Kind.Strings => proto.Strings.Select(text => Text(text, what)).ToArray(),
        Kind.Tensors => proto.Tensors.Select(tensor => tensors.Read(tensor, what)).ToArray(),
        Kind.Graphs => proto.Graphs.Select(readGraph).ToArray(),
        Kind.Undefined => throw Empty(what),
        var kind => throw new InvalidDataException($"{what} is a {(kind is Kind.SparseTensor or Kind.SparseTensors ? "sparse tensor" : "type")}, which Fewbit does not take; expected numbers, text, dense tensors or graphs"),
    };

    /// <summary>IR version 1 states no kind: the field that is there tells it.</summary>
    private static Kind KindOf(AttributeProto proto) => proto switch
    {
        { Type: not Kind.Undefined } => proto.Type,
        { HasF: true } => Kind.Float,
        { HasI: true } => Kind.Int,
        { HasS: true } => Kind.String,
        { T: not null } => Kind.Tensor,
        { G: not null } => Kind.Graph,
        { SparseTensor: not null } => Kind.SparseTensor,
        { Floats.Count: > 0 } => Kind.Floats,
        { Ints.Count: > 0 } => Kind.Ints,
        { Strings.Count: > 0 } => Kind.Strings,
        { Tensors.Count: > 0 } => Kind.Tensors,
        { Graphs.Count: > 0 } => Kind.Graphs,
        _ => Kind.Undefined,
    };

    private static string Text(ByteString bytes, string what)
    {
        try
        {
            return StrictUtf8.GetString(bytes.Span);
        }
        catch (DecoderFallbackException)
        {
            throw new InvalidDataException($"{what} is text of {bytes.Length} bytes that are not valid UTF-8");
        }
    }

    private static InvalidDataException Empty(string what) => new($"{what} holds no value");
}
