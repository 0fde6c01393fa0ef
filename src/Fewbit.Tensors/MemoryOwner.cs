using System.Buffers;

namespace Fewbit.Tensors;

/// <summary>Managed memory of someone else, pinned where it is: tensors over an array without a copy.</summary>
/// <remarks>The pin is taken off by the finalizer, once no tensor refers to this owner. The address is as aligned as the array is.</remarks>
public sealed unsafe class MemoryOwner : TensorOwner
{
    private readonly Memory<byte> _memory;
    private readonly MemoryHandle _pin;

    /// <param name="memory">The bytes; they must stay as they are while tensors read them.</param>
    /// <param name="isReadOnly">Whether writing is forbidden.</param>
    public MemoryOwner(Memory<byte> memory, bool isReadOnly)
    {
        (_memory, IsReadOnly) = (memory, isReadOnly);
        _pin = memory.Pin();
    }

    /// <summary>Takes off the pin.</summary>
    ~MemoryOwner() => _pin.Dispose();

    /// <inheritdoc/>
    public override long ByteCount => _memory.Length;

    /// <inheritdoc/>
    public override bool IsReadOnly { get; }

    /// <inheritdoc/>
    public override byte* Address => (byte*)_pin.Pointer;

    internal override Span<byte> Slice(long offset, int count) => _memory.Span.Slice((int)offset, count);
}
