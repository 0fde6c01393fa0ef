using System.Runtime.InteropServices;
using Fewbit.Tensors;

namespace Fewbit.Fuzzing;

/// <summary>Tensors of a case between pages that no access may touch: a kernel that leaves a tensor by more than 63 bytes kills the process, and so is found.</summary>
/// <remarks>Linux only; elsewhere tensors keep their ordinary memory. All memory of a case is given back at its end.</remarks>
internal sealed unsafe partial class GuardedMemory : IDisposable
{
    private const int PageBytes = 4096, ReadWrite = 3, PrivateAnonymous = 0x22;
    private readonly List<(nint Address, nuint ByteCount)> _maps = [];
    private readonly Lock _lock = new();

    private GuardedMemory() => Tensor.Allocator = Allocate;

    /// <summary>Guards all tensors made until the result is disposed; null where the system has no such pages.</summary>
    public static GuardedMemory? Begin() => OperatingSystem.IsLinux() ? new() : null;

    public void Dispose()
    {
        Tensor.Allocator = null;
        foreach ((nint address, nuint bytes) in _maps) _ = Unmap(address, bytes);
    }

    private Owner Allocate(long byteCount)
    {
        long aligned = (byteCount + 63) / 64 * 64, body = (aligned + PageBytes - 1) / PageBytes * PageBytes;
        var whole = (nuint)(body + 2 * PageBytes);
        nint start = Map(0, whole, 0, PrivateAnonymous, -1, 0);
        if (start == -1 || (body > 0 && Protect(start + PageBytes, (nuint)body, ReadWrite) != 0)) throw new InsufficientMemoryException($"no memory for {byteCount} bytes between guards");
        lock (_lock) _maps.Add((start, whole));
        return new Owner((byte*)start + PageBytes + body - aligned, byteCount);
    }

    [LibraryImport("libc", EntryPoint = "mmap")]
    private static partial nint Map(nint address, nuint length, int protection, int flags, int file, nint offset);

    [LibraryImport("libc", EntryPoint = "mprotect")]
    private static partial int Protect(nint address, nuint length, int protection);

    [LibraryImport("libc", EntryPoint = "munmap")]
    private static partial int Unmap(nint address, nuint length);

    private sealed class Owner(byte* address, long byteCount) : TensorOwner
    {
        public override long ByteCount => byteCount;

        public override byte* Address => address;

        internal override Span<byte> Slice(long offset, int count) => new(address + offset, count);
    }
}
