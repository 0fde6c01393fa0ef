using System.Runtime.InteropServices;

namespace Fewbit.OnnxRuntime.Tests;

public sealed class LibraryPlacesTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Search_NothingThere_ListsEveryPlace()
    {
        LibrarySearch search = Places().Search(null);
        Assert.Null(search.Path);
        Assert.Collection(search.Tried,
            place => Assert.StartsWith(Path.Combine(_folder.Path, "tool"), place, StringComparison.Ordinal),
            place => Assert.Contains("node_modules", place, StringComparison.Ordinal),
            place => Assert.Contains("microsoft.ml.onnxruntime*", place, StringComparison.Ordinal));
        string message = Assert.Throws<OnnxRuntimeException>(() => OnnxRuntimeLibrary.Open(search)).Message;
        Assert.All(search.Tried, place => Assert.Contains(place, message, StringComparison.Ordinal));
        Assert.Contains("FEWBIT_ORT", message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("LINUX", Architecture.X64, "linux/x64/libonnxruntime.so.1")]
    [InlineData("LINUX", Architecture.Arm64, "linux/arm64/libonnxruntime.so.1")]
    [InlineData("OSX", Architecture.Arm64, "darwin/arm64/libonnxruntime.1.30.0.dylib")]
    [InlineData("WINDOWS", Architecture.X64, "win32/x64/onnxruntime.dll")]
    public void Search_NodeModulesAboveTheWorkingFolder_FindsTheNewestOfThisSystem(string system, Architecture architecture, string file)
    {
        _folder.File($"node_modules/onnxruntime-node/bin/napi-v3/{file}");
        string expected = _folder.File($"node_modules/onnxruntime-node/bin/napi-v6/{file}");
        _folder.File("node_modules/onnxruntime-node/bin/napi-v6/linux/x64/libonnxruntime_providers_shared.so");
        LibraryPlaces places = Places() with { System = OSPlatform.Create(system), Architecture = architecture };
        Assert.Equal(Path.GetFullPath(expected), places.Search(null).Path);
    }

    [Theory]
    [InlineData("LINUX", Architecture.X64, "linux-x64/native/libonnxruntime.so")]
    [InlineData("OSX", Architecture.Arm64, "osx-arm64/native/libonnxruntime.dylib")]
    [InlineData("OSX", Architecture.X64, "osx.10.14-x64/native/libonnxruntime.dylib")]
    [InlineData("WINDOWS", Architecture.Arm64, "win-arm64/native/onnxruntime.dll")]
    public void Search_NuGetCache_TakesTheNewestVersionOfTheCpuPackage(string system, Architecture architecture, string file)
    {
        _folder.File($"nuget/microsoft.ml.onnxruntime/1.9.0/runtimes/{file}");
        string expected = _folder.File($"nuget/microsoft.ml.onnxruntime/1.22.0-dev/runtimes/{file}");
        _folder.File($"nuget/microsoft.ml.onnxruntime.gpu/1.23.0/runtimes/{file}");
        LibraryPlaces places = Places() with { System = OSPlatform.Create(system), Architecture = architecture };
        Assert.Equal(Path.GetFullPath(expected), places.Search(null).Path);
    }

    [Fact]
    public void Search_SeveralPlaces_PrefersNamedThenEnvironmentThenTool()
    {
        string tool = _folder.File("tool/libonnxruntime.so"), environment = _folder.File("env/libonnxruntime.so.1"), named = _folder.File("named/ort.so");
        LibraryPlaces places = Places() with { EnvironmentPath = Path.GetDirectoryName(environment) };
        Assert.Equal(named, places.Search(named).Path);
        Assert.Equal(environment, places.Search(null).Path);
        Assert.Equal(tool, (places with { EnvironmentPath = "" }).Search(null).Path);
    }

    [Fact]
    public void Search_NamedPathMissing_DoesNotFallBack()
    {
        _folder.File("tool/libonnxruntime.so");
        LibrarySearch search = Places().Search("/nowhere/libonnxruntime.so");
        Assert.Null(search.Path);
        Assert.Equal(["/nowhere/libonnxruntime.so (--ort)"], search.Tried);
    }

    private LibraryPlaces Places() => new()
    {
        System = OSPlatform.Linux,
        Architecture = Architecture.X64,
        ToolFolder = Path.Combine(_folder.Path, "tool"),
        WorkingFolder = Directory.CreateDirectory(Path.Combine(_folder.Path, "work", "deep")).FullName,
        NuGetFolder = Path.Combine(_folder.Path, "nuget"),
    };
}
