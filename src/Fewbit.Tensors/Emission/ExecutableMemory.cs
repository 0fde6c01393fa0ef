using System.Runtime.InteropServices;

namespace Fewbit.Tensors.Emission;

/// <summary>Memory for machine code that is assembled at run time. It is writable or executable, never both at once, and lives as long as the process.</summary>
/// <remarks>Linux: mmap, then mprotect. Windows: VirtualAlloc, then VirtualProtect. macOS: MAP_JIT with a per-thread write switch where the processor demands it.</remarks>
internal static unsafe partial class ExecutableMemory
{
    private const int ProtRead = 1, ProtWrite = 2, ProtExecute = 4;
    private const int MapPrivate = 2, MapAnonymousLinux = 0x20, MapAnonymousApple = 0x1000, MapJitApple = 0x800;
    private const uint MemCommitReserve = 0x3000, PageReadWrite = 4, PageExecuteRead = 0x20;

    private static readonly Lazy<bool> Granted = new(Probe);

    /// <summary>Whether this process may run code that it wrote (hardened systems forbid it).</summary>
    public static bool IsGranted => Granted.Value;

    /// <summary>Copies code into fresh executable memory.</summary>
    /// <returns>Where it starts, or null if the system refuses.</returns>
    public static void* Load(ReadOnlySpan<byte> code)
    {
        if (OperatingSystem.IsWindows()) return LoadWindows(code);
        if (OperatingSystem.IsMacOS()) return LoadApple(code);
        return OperatingSystem.IsLinux() ? LoadLinux(code) : null;
    }

    /// <summary>A return instruction tells whether memory can be made executable. Only x64 has emitted kernels.</summary>
    private static bool Probe() => RuntimeInformation.ProcessArchitecture == Architecture.X64 && Load([0xC3]) != null;

    private static void* LoadLinux(ReadOnlySpan<byte> code)
    {
        nint memory = Map(0, code.Length, ProtRead | ProtWrite, MapPrivate | MapAnonymousLinux, -1, 0);
        if (memory == -1) return null;
        code.CopyTo(new Span<byte>((void*)memory, code.Length));
        return Protect(memory, code.Length, ProtRead | ProtExecute) == 0 ? (void*)memory : null;
    }

    private static void* LoadApple(ReadOnlySpan<byte> code)
    {
        bool switches = RuntimeInformation.ProcessArchitecture == Architecture.Arm64;
        int protection = switches ? ProtRead | ProtWrite | ProtExecute : ProtRead | ProtWrite;
        nint memory = Map(0, code.Length, protection, MapPrivate | MapAnonymousApple | (switches ? MapJitApple : 0), -1, 0);
        if (memory == -1) return null;
        if (switches) ProtectJit(0);
        code.CopyTo(new Span<byte>((void*)memory, code.Length));
        if (switches) ProtectJit(1);
        else if (Protect(memory, code.Length, ProtRead | ProtExecute) != 0) return null;
        if (switches) InvalidateInstructions(memory, (nuint)code.Length);
        return (void*)memory;
    }

    private static void* LoadWindows(ReadOnlySpan<byte> code)
    {
        nint memory = VirtualAlloc(0, (nuint)code.Length, MemCommitReserve, PageReadWrite);
        if (memory == 0) return null;
        code.CopyTo(new Span<byte>((void*)memory, code.Length));
        return VirtualProtect(memory, (nuint)code.Length, PageExecuteRead, out _) != 0 ? (void*)memory : null;
    }

    [LibraryImport("libc", EntryPoint = "mmap")]
    private static partial nint Map(nint address, nint length, int protection, int flags, int file, nint offset);

    [LibraryImport("libc", EntryPoint = "mprotect")]
    private static partial int Protect(nint address, nint length, int protection);

    [LibraryImport("libc", EntryPoint = "pthread_jit_write_protect_np")]
    private static partial void ProtectJit(int enabled);

    [LibraryImport("libc", EntryPoint = "sys_icache_invalidate")]
    private static partial void InvalidateInstructions(nint start, nuint length);

    [LibraryImport("kernel32")]
    private static partial nint VirtualAlloc(nint address, nuint size, uint type, uint protection);

    [LibraryImport("kernel32")]
    private static partial int VirtualProtect(nint address, nuint size, uint protection, out uint old);
}
