using System.Collections.Concurrent;
using System.Runtime.InteropServices;
using Fewbit.OnnxRuntime.Native;

namespace Fewbit.OnnxRuntime;

/// <summary>A loaded ONNX Runtime. It stays loaded until the process ends.</summary>
public sealed unsafe class OnnxRuntimeLibrary
{
    private static readonly ConcurrentDictionary<string, Lazy<OnnxRuntimeLibrary>> s_loaded = new();

    private OnnxRuntimeLibrary(string path, string version, OrtApi api) => (Path, Version, Api) = (path, version, api);

    /// <summary>The library's file.</summary>
    public string Path { get; }

    /// <summary>The version that the library states, such as 1.30.0.</summary>
    public string Version { get; }

    internal OrtApi Api { get; }

    /// <summary>Looks for the library: at <paramref name="path"/>, else FEWBIT_ORT, else beside the tool, in node_modules and in the NuGet cache.</summary>
    /// <param name="path">File or folder that the user named; null if none.</param>
    public static LibrarySearch Find(string? path = null) => LibraryPlaces.Here().Search(path);

    /// <summary>Finds and loads the library.</summary>
    /// <exception cref="OnnxRuntimeException">It is not found, is not ONNX Runtime, or is older than 1.17.</exception>
    public static OnnxRuntimeLibrary Open(string? path = null) => Open(Find(path));

    /// <summary>Loads the library that a search found.</summary>
    /// <exception cref="OnnxRuntimeException">The search found none, or the file is not ONNX Runtime, or it is older than 1.17.</exception>
    public static OnnxRuntimeLibrary Open(LibrarySearch search)
    {
        string path = search.Path ?? throw new OnnxRuntimeException(
            $"ONNX Runtime was not found. Places tried:{string.Concat(search.Tried.Select(place => $"\n  {place}"))}\n" +
            "Name its library with --ort PATH or FEWBIT_ORT, or get it with: npm install onnxruntime-node");
        return s_loaded.GetOrAdd(path, static path => new(() => FromBase(path, ApiBase(path)))).Value;
    }

    /// <param name="path">The file, for messages.</param>
    /// <param name="apiBase">OrtApiBase: the functions GetApi and GetVersionString.</param>
    internal static OnnxRuntimeLibrary FromBase(string path, nint* apiBase)
    {
        string version = NativeText.Read(((delegate* unmanaged<nint>)apiBase[1])());
        nint functions = ((delegate* unmanaged<uint, nint>)apiBase[0])(OrtApi.Version);
        if (functions == 0)
            throw new OnnxRuntimeException($"{path}: ONNX Runtime {version} has no C API {OrtApi.Version}, expected version 1.{OrtApi.Version} or later");
        return new(path, version, new((nint*)functions));
    }

    private static nint* ApiBase(string path)
    {
        try
        {
            nint library = NativeLibrary.Load(path);
            return ((delegate* unmanaged<nint*>)NativeLibrary.GetExport(library, "OrtGetApiBase"))();
        }
        catch (EntryPointNotFoundException e)
        {
            throw new OnnxRuntimeException($"{path}: not ONNX Runtime: the library has no function OrtGetApiBase", e);
        }
        catch (Exception e) when (e is DllNotFoundException or BadImageFormatException)
        {
            throw new OnnxRuntimeException($"{path}: cannot be loaded as a library of this system: {e.Message.ReplaceLineEndings(" ")}", e);
        }
    }
}
