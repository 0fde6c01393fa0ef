using System.Runtime.InteropServices;
using System.Runtime.Intrinsics.X86;

namespace Fewbit.Benchmarks.Results;

/// <summary>OpenBLAS of this machine, if there is one, with the kernel that its instruction set allows.</summary>
/// <remarks>
/// Old versions do not know new processors and fall back to 256 bits: the core type is named before the library is loaded, unless OPENBLAS_CORETYPE names one.
/// Zen 4, which splits 512 bits in two, is faster with the 256-bit kernels of version 0.3.21 (110 against 104 GFLOP/s).
/// </remarks>
internal sealed unsafe partial class OpenBlas
{
    private const int RowMajor = 101, AsIs = 111, Transposed = 112;
    private static readonly string[] Names = ["libopenblas.so.0", "libopenblas.so", "libopenblas.dylib", "libopenblas.dll"];
    private readonly delegate* unmanaged<int, int, int, int, int, int, float, float*, int, float*, int, float, float*, int, void> _sgemm;
    private readonly delegate* unmanaged<int, void> _setThreads;

    private OpenBlas(nint library)
    {
        _sgemm = (delegate* unmanaged<int, int, int, int, int, int, float, float*, int, float*, int, float, float*, int, void>)NativeLibrary.GetExport(library, "cblas_sgemm");
        _setThreads = (delegate* unmanaged<int, void>)NativeLibrary.GetExport(library, "openblas_set_num_threads");
        var describe = (delegate* unmanaged<byte*>)NativeLibrary.GetExport(library, "openblas_get_config");
        Description = Marshal.PtrToStringUTF8((nint)describe()) ?? "";
    }

    /// <summary>Version and kernel, in the library's words.</summary>
    public string Description { get; }

    /// <exception cref="DllNotFoundException">It is not installed; the message says how to install it.</exception>
    public static OpenBlas Open()
    {
        // The library reads the C environment, which .NET's own does not reach. Its idle threads would spin into our turn: they give up at once.
        if (Environment.GetEnvironmentVariable("OPENBLAS_CORETYPE") is null) SetEnvironment("OPENBLAS_CORETYPE", Avx512F.IsSupported && !HasHalvedVectors ? "SkylakeX" : "Haswell");
        SetEnvironment("OPENBLAS_THREAD_TIMEOUT", "4");
        foreach (string name in Names)
        {
            if (NativeLibrary.TryLoad(name, out nint library)) return new(library);
        }
        throw new DllNotFoundException($"OpenBLAS is needed for the comparison and was not found (tried {string.Join(", ", Names)}). Debian and Ubuntu: apt-get install libopenblas0-pthread. macOS: brew install openblas.");
    }

    public void SetThreads(int count) => _setThreads(count);

    /// <summary>C[m, n] = op(A) * op(B), dense and row-major.</summary>
    public void Multiply(int m, int n, int k, float* a, bool transposeA, float* b, bool transposeB, float* c) =>
        _sgemm(RowMajor, transposeA ? Transposed : AsIs, transposeB ? Transposed : AsIs, m, n, k, 1, a, transposeA ? m : k, b, transposeB ? k : n, 0, c, n);

    /// <summary>AMD's family 19h: Zen 3 and Zen 4.</summary>
    private static bool HasHalvedVectors
    {
        get
        {
            if (!X86Base.IsSupported) return false;
            int signature = X86Base.CpuId(1, 0).Eax;
            return ((signature >> 8) & 15) + ((signature >> 20) & 255) == 0x19;
        }
    }

    private static void SetEnvironment(string name, string value)
    {
        if (OperatingSystem.IsWindows()) Environment.SetEnvironmentVariable(name, value);
        else SetNative(name, value, overwrite: 1);
    }

    [LibraryImport("libc", EntryPoint = "setenv", StringMarshalling = StringMarshalling.Utf8)]
    private static partial int SetNative(string name, string value, int overwrite);
}
