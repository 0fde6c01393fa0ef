using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Fewbit.Tensors;

/// <summary>Memory that tensors lie in: an address that does not move while the owner is reachable.</summary>
public abstract unsafe class TensorOwner
{
    /// <summary>Bytes that may be used.</summary>
    public abstract long ByteCount { get; }

    /// <summary>True where writing is forbidden (mapped files).</summary>
    public virtual bool IsReadOnly => false;

    /// <summary>Address of byte 0, a multiple of 64 for memory of ours. The caller keeps the owner reachable while it uses the address.</summary>
    public abstract byte* Address { get; }

    /// <summary>A span over [offset, offset + count) that keeps the memory alive by itself where the owner allows it.</summary>
    internal abstract Span<byte> Slice(long offset, int count);
}

/// <summary>Pinned managed memory, aligned to 64 bytes: freed by the garbage collector once no tensor or span refers to it.</summary>
internal sealed unsafe class PinnedOwner : TensorOwner
{
    private readonly CacheLine[] _lines;
    private readonly int _misalignment;

    /// <param name="byteCount">Bytes to allocate, up to 128 GiB.</param>
    /// <param name="zeroed">Whether all bytes start as 0.</param>
    public PinnedOwner(long byteCount, bool zeroed)
    {
        ByteCount = byteCount;
        int lines = checked((int)(byteCount / sizeof(CacheLine) + 2));
        _lines = zeroed ? GC.AllocateArray<CacheLine>(lines, pinned: true) : GC.AllocateUninitializedArray<CacheLine>(lines, pinned: true);
        nuint start = (nuint)Unsafe.AsPointer(ref MemoryMarshal.GetArrayDataReference(_lines));
        _misalignment = (int)((0 - start) & 63);
    }

    public override long ByteCount { get; }

    public override byte* Address => (byte*)Unsafe.AsPointer(ref MemoryMarshal.GetArrayDataReference(_lines)) + _misalignment;

    internal override Span<byte> Slice(long offset, int count)
    {
        ref byte start = ref Unsafe.As<CacheLine, byte>(ref MemoryMarshal.GetArrayDataReference(_lines));
        return MemoryMarshal.CreateSpan(ref Unsafe.Add(ref start, (nint)(offset + _misalignment)), count);
    }

    [StructLayout(LayoutKind.Sequential, Size = 64)]
    private struct CacheLine;
}
