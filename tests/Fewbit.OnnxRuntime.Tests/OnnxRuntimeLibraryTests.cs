using System.Runtime.InteropServices;
using Fewbit.Testing;

namespace Fewbit.OnnxRuntime.Tests;

public sealed class OnnxRuntimeLibraryTests
{
    [Fact]
    public void Open_FileIsNoLibrary_SaysSo()
    {
        using var folder = new TemporaryFolder();
        string path = folder.File("libonnxruntime.so", "no library");
        string message = Assert.Throws<OnnxRuntimeException>(() => OnnxRuntimeLibrary.Open(path)).Message;
        Assert.StartsWith($"{path}: cannot be loaded as a library of this system", message, StringComparison.Ordinal);
    }

    [Fact]
    public void Open_OtherLibrary_SaysThatItIsNotOnnxRuntime()
    {
        string name = OperatingSystem.IsWindows() ? "coreclr.dll" : OperatingSystem.IsMacOS() ? "libcoreclr.dylib" : "libcoreclr.so";
        string path = Path.Combine(Path.GetDirectoryName(typeof(object).Assembly.Location)!, name);
        string message = Assert.Throws<OnnxRuntimeException>(() => OnnxRuntimeLibrary.Open(path)).Message;
        Assert.Equal($"{path}: not ONNX Runtime: the library has no function OrtGetApiBase", message);
    }

    [Fact]
    public unsafe void FromBase_ApiTooOld_SaysWhichVersionIsNeeded()
    {
        nint* oldBase = stackalloc nint[] { (nint)(delegate* unmanaged<uint, nint>)&NoApi, (nint)(delegate* unmanaged<nint>)&OldVersion };
        string? message = null;
        try
        {
            OnnxRuntimeLibrary.FromBase("old.so", oldBase);
        }
        catch (OnnxRuntimeException e)
        {
            message = e.Message;
        }
        Assert.Equal("old.so: ONNX Runtime 1.9.1 has no C API 17, expected version 1.17 or later", message);
    }

    [RuntimeFact]
    public void Open_OnnxRuntime_StatesVersionAndIsLoadedOnce()
    {
        OnnxRuntimeLibrary library = OnnxRuntimeLibrary.Open(Oracles.OnnxRuntimeLibrary);
        Assert.True(Version.Parse(library.Version) >= new Version(1, 17), library.Version);
        Assert.Equal(Path.GetFullPath(Oracles.OnnxRuntimeLibrary!), library.Path);
        Assert.Same(library, OnnxRuntimeLibrary.Open(Oracles.OnnxRuntimeLibrary));
    }

    [UnmanagedCallersOnly]
    private static nint NoApi(uint version) => 0;

    [UnmanagedCallersOnly]
    private static nint OldVersion() => s_oldVersion;

    private static readonly nint s_oldVersion = Marshal.StringToCoTaskMemUTF8("1.9.1");
}
