using System.Buffers;
using System.Globalization;
using Fewbit.Onnx.Protos;
using Fewbit.Tensors;
using Google.Protobuf;

namespace Fewbit.Onnx.Writing;

/// <summary>Turns tensors into messages: raw bytes, or a place in the side file.</summary>
internal sealed class TensorWriter(SideFile side)
{
    /// <param name="tensor">The elements. They are not copied: the tensor must not change until the message is written.</param>
    /// <param name="what">The tensor's owner, for messages.</param>
    /// <param name="template">Documentation and unknown fields to keep; null for none.</param>
    public TensorProto Write(Tensor tensor, string what, TensorProto? template = null)
    {
        if (tensor.Layout != Layout.RowMajor) throw new InvalidDataException($"{what} is {tensor}, but ONNX knows row-major tensors only");
        TensorProto proto = template?.Clone() ?? new();
        proto.Dims.AddRange(tensor.Shape);
        proto.DataType = (int)tensor.Type;
        if (!side.Takes(tensor))
        {
            proto.RawData = UnsafeByteOperations.UnsafeWrap(new TensorMemory(tensor).Memory);
            return proto;
        }
        proto.DataLocation = TensorProto.Types.DataLocation.External;
        proto.ExternalData.Add(Entry("location", side.Name));
        proto.ExternalData.Add(Entry("offset", side.Add(tensor).ToString(CultureInfo.InvariantCulture)));
        proto.ExternalData.Add(Entry("length", tensor.ByteCount.ToString(CultureInfo.InvariantCulture)));
        return proto;
    }

    private static StringStringEntryProto Entry(string key, string value) => new() { Key = key, Value = value };

    /// <summary>A tensor's bytes as memory, so that a message refers to them instead of holding a second copy.</summary>
    private sealed unsafe class TensorMemory(Tensor tensor) : MemoryManager<byte>
    {
        public override Span<byte> GetSpan() => tensor.Bytes;

        public override MemoryHandle Pin(int elementIndex = 0) => new(tensor.Address + elementIndex, default, this);

        public override void Unpin()
        {
        }

        protected override void Dispose(bool disposing)
        {
        }
    }
}
