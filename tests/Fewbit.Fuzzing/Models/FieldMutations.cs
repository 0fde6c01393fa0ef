using System.Collections;
using Fewbit.Onnx.Protos;
using Google.Protobuf;
using Google.Protobuf.Reflection;

namespace Fewbit.Fuzzing.Models;

/// <summary>Changes of single fields anywhere in a message, by the message's own description.</summary>
internal static class FieldMutations
{
    /// <summary>All messages of a model, itself included.</summary>
    public static List<IMessage> Messages(IMessage root)
    {
        var found = new List<IMessage> { root };
        for (int i = 0; i < found.Count && found.Count < 4000; i++)
        {
            foreach (FieldDescriptor field in found[i].Descriptor.Fields.InDeclarationOrder())
            {
                if (field.FieldType != FieldType.Message) continue;
                if (field.Accessor.GetValue(found[i]) is IList list) found.AddRange(list.Cast<IMessage>());
                else if (field.Accessor.GetValue(found[i]) is IMessage message) found.Add(message);
            }
        }
        return found;
    }

    /// <summary>Changes one field of one message.</summary>
    public static void Apply(ModelProto model, Random random, ModelProto other)
    {
        List<IMessage> messages = Messages(model);
        for (int attempt = 0; attempt < 8; attempt++)
        {
            IMessage message = messages[random.Next(messages.Count)];
            FieldDescriptor[] fields = [.. message.Descriptor.Fields.InDeclarationOrder().Where(field => IsSet(message, field) || random.Next(6) == 0)];
            if (fields.Length == 0) continue;
            FieldDescriptor field = fields[random.Next(fields.Length)];
            if (field.IsRepeated) EditList(message, field, random, messages, other);
            else if (field.FieldType == FieldType.Message) EditMessage(message, field, random, messages, other);
            else field.Accessor.SetValue(message, Scalar(field, random, messages));
            return;
        }
    }

    private static bool IsSet(IMessage message, FieldDescriptor field) =>
        field.IsRepeated ? ((IList)field.Accessor.GetValue(message)).Count > 0 : field.Accessor.HasValue(message);

    private static void EditMessage(IMessage message, FieldDescriptor field, Random random, List<IMessage> messages, ModelProto other)
    {
        if (random.Next(3) == 0) field.Accessor.Clear(message);
        else field.Accessor.SetValue(message, Like(field.MessageType, random, messages, other));
    }

    private static void EditList(IMessage message, FieldDescriptor field, Random random, List<IMessage> messages, ModelProto other)
    {
        var list = (IList)field.Accessor.GetValue(message);
        int at = list.Count == 0 ? 0 : random.Next(list.Count);
        switch (random.Next(8))
        {
            case 0 when list.Count > 0: list.RemoveAt(at); break;
            case 1 when list.Count > 0: list.Insert(at, Copy(list[at]!)); break;
            case 2 when list.Count > 1: Swap(list, at, random.Next(list.Count)); break;
            case 3 when list.Count > 0:
                for (int i = random.Next(40); i >= 0; i--) list.Add(Copy(list[at]!));
                break;
            case 4: list.Clear(); break;
            case 5 when list.Count > 0 && field.FieldType != FieldType.Message: list[at] = Scalar(field, random, messages); break;
            default: list.Insert(at, field.FieldType == FieldType.Message ? Like(field.MessageType, random, messages, other) : Scalar(field, random, messages)); break;
        }
    }

    private static void Swap(IList list, int a, int b)
    {
        object first = Copy(list[a]!), second = Copy(list[b]!);
        (list[a], list[b]) = (second, first);
    }

    private static object Copy(object item) => item is IMessage message ? message.GetType().GetMethod("Clone")!.Invoke(message, null)! : item;

    /// <summary>A message of the type from this model or another; an empty one where there is none.</summary>
    private static IMessage Like(MessageDescriptor type, Random random, List<IMessage> messages, ModelProto other)
    {
        List<IMessage> pool = random.Next(3) == 0 ? Messages(other) : messages;
        IMessage[] same = [.. pool.Where(message => message.Descriptor == type)];
        return same.Length == 0 ? type.Parser.ParseFrom(ByteString.Empty) : (IMessage)Copy(same[random.Next(same.Length)]);
    }

    private static object Scalar(FieldDescriptor field, Random random, List<IMessage> messages) => field.FieldType switch
    {
        FieldType.Float => Interesting.Real(random),
        FieldType.Double => (double)Interesting.Real(random),
        FieldType.Int64 => Interesting.Integer(random),
        FieldType.UInt64 => (ulong)Interesting.Integer(random),
        FieldType.Int32 => (int)Interesting.Integer(random),
        FieldType.Enum => EnumValue(field, random),
        FieldType.Bytes => ByteString.CopyFromUtf8(Interesting.Text(random)),
        FieldType.String => random.Next(3) == 0 ? Interesting.Text(random) : Name(random, messages),
        _ => throw new NotSupportedException($"{field.FullName} is {field.FieldType}"),
    };

    private static object EnumValue(FieldDescriptor field, Random random)
    {
        object value = Enum.ToObject(field.EnumType.ClrType, random.Next(16));
        return value;
    }

    /// <summary>A name that the model uses for something: a cycle, a value used twice, a wrong operator.</summary>
    private static string Name(Random random, List<IMessage> messages)
    {
        for (int attempt = 0; attempt < 8; attempt++)
        {
            switch (messages[random.Next(messages.Count)])
            {
                case NodeProto node when node.Output.Count > 0: return random.Next(4) switch { 0 => node.OpType, 1 => node.Domain, _ => node.Output[random.Next(node.Output.Count)] };
                case NodeProto node when node.Input.Count > 0: return node.Input[random.Next(node.Input.Count)];
                case ValueInfoProto info: return info.Name;
                case TensorProto tensor: return tensor.Name;
                case AttributeProto attribute: return attribute.Name;
            }
        }
        return "";
    }
}
