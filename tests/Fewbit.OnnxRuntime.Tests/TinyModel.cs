using System.Text;
using Fewbit.Tensors;

namespace Fewbit.OnnxRuntime.Tests;

/// <summary>Writes the wire format of an ONNX model of one node x -> y, so that these tests need neither a file nor our own writer.</summary>
internal static class TinyModel
{
    /// <param name="op">Operator with one input and one output.</param>
    /// <param name="from">Element type of x.</param>
    /// <param name="to">Element type of y.</param>
    /// <param name="dims">Dimensions: a length, or a name where free.</param>
    /// <param name="toAttribute">Whether the node states its output type (Cast).</param>
    /// <param name="opset">Version of the operators.</param>
    public static byte[] OneNode(string op, ElementType from, ElementType to, IReadOnlyList<object> dims, bool toAttribute = false, int opset = 21)
    {
        byte[] attribute = toAttribute ? Message(5, Text(1, "to"), Number(20, 2), Number(3, (long)to)) : [];
        byte[] node = Message(1, Text(1, "x"), Text(2, "y"), Text(3, "node"), Text(4, op), attribute);
        byte[] graph = Message(7, node, Text(2, "graph"), Value(11, "x", from, dims), Value(12, "y", to, dims));
        return [.. Number(1, opset < 25 ? 10 : 13), .. graph, .. Message(8, Text(1, ""), Number(2, opset))];
    }

    private static byte[] Value(int field, string name, ElementType type, IReadOnlyList<object> dims)
    {
        byte[] shape = Message(2, [.. dims.Select(dim => Message(1, dim is string named ? Text(2, named) : Number(1, Convert.ToInt64(dim, null))))]);
        return Message(field, Text(1, name), Message(2, Message(1, Number(1, (long)type), shape)));
    }

    private static byte[] Message(int field, params byte[][] parts)
    {
        byte[] body = [.. parts.SelectMany(part => part)];
        return [.. Varint(field << 3 | 2), .. Varint(body.Length), .. body];
    }

    private static byte[] Text(int field, string text) => Message(field, Encoding.UTF8.GetBytes(text));

    private static byte[] Number(int field, long value) => [.. Varint(field << 3), .. Varint(value)];

    private static byte[] Varint(long value)
    {
        var bytes = new List<byte>();
        for (ulong rest = (ulong)value; ; rest >>= 7)
        {
            if (rest < 0x80)
            {
                bytes.Add((byte)rest);
                return [.. bytes];
            }
            bytes.Add((byte)(rest | 0x80));
        }
    }
}
