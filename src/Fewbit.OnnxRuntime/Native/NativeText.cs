using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Text;

namespace Fewbit.OnnxRuntime.Native;

/// <summary>Strings as the C API takes them: zero-terminated UTF-8, and UTF-16 for paths on Windows (ORTCHAR_T).</summary>
internal static class NativeText
{
    /// <summary>UTF-8 with its zero, in memory that does not move while the array is reachable.</summary>
    public static byte[] PinnedUtf8(string text) => PinnedCopy(text, Encoding.UTF8, terminatorBytes: 1);

    public static byte[] PinnedPath(string path) =>
        OperatingSystem.IsWindows() ? PinnedCopy(path, Encoding.Unicode, terminatorBytes: 2) : PinnedUtf8(path);

    /// <summary>The address of pinned text; the caller keeps the array reachable.</summary>
    public static unsafe nint Address(byte[] pinned) => (nint)Unsafe.AsPointer(ref MemoryMarshal.GetArrayDataReference(pinned));

    public static string Read(nint utf8) => Marshal.PtrToStringUTF8(utf8) ?? "";

    private static byte[] PinnedCopy(string text, Encoding encoding, int terminatorBytes)
    {
        byte[] bytes = GC.AllocateArray<byte>(encoding.GetByteCount(text) + terminatorBytes, pinned: true);
        encoding.GetBytes(text, bytes);
        return bytes;
    }
}
