using System.Runtime.InteropServices;

namespace Fewbit.OnnxRuntime;

/// <summary>What a search for ONNX Runtime found.</summary>
/// <param name="Path">The library's file; null where none was found.</param>
/// <param name="Tried">The places that were looked at, in order, the last one being where it was found.</param>
public sealed record LibrarySearch(string? Path, IReadOnlyList<string> Tried);

/// <summary>Where ONNX Runtime may lie, and what its file is called, on each operating system.</summary>
internal sealed record LibraryPlaces
{
    public required OSPlatform System { get; init; }
    public required Architecture Architecture { get; init; }
    public required string ToolFolder { get; init; }
    public required string WorkingFolder { get; init; }
    public required string NuGetFolder { get; init; }
    public string? EnvironmentPath { get; init; }

    /// <summary>The places of this process.</summary>
    public static LibraryPlaces Here() => new()
    {
        System = OperatingSystem.IsWindows() ? OSPlatform.Windows : OperatingSystem.IsMacOS() ? OSPlatform.OSX : OSPlatform.Linux,
        Architecture = RuntimeInformation.ProcessArchitecture,
        ToolFolder = AppContext.BaseDirectory,
        WorkingFolder = Environment.CurrentDirectory,
        NuGetFolder = Environment.GetEnvironmentVariable("NUGET_PACKAGES") is { Length: > 0 } named
            ? named
            : Path.Combine(Environment.GetFolderPath(Environment.SpecialFolder.UserProfile), ".nuget", "packages"),
        EnvironmentPath = Environment.GetEnvironmentVariable("FEWBIT_ORT"),
    };

    private string Arch => Architecture.ToString().ToLowerInvariant();

    // Versioned names exist beside the plain ones (libonnxruntime.so.1, libonnxruntime.1.30.0.dylib); libonnxruntime_providers_*.so is another library.
    private string FilePattern => System == OSPlatform.Windows ? "onnxruntime.dll" : System == OSPlatform.OSX ? "libonnxruntime.*dylib" : "libonnxruntime.so*";

    private string NodeFolder => Path.Combine(System == OSPlatform.Windows ? "win32" : System == OSPlatform.OSX ? "darwin" : "linux", Arch);

    // Older packages (1.13) name the oldest macOS they run on: osx.10.14-arm64.
    private string RuntimeIdentifier => $"{(System == OSPlatform.Windows ? "win" : System == OSPlatform.OSX ? "osx*" : "linux")}-{Arch}";

    /// <summary>Looks at every place in order. A path that the user named is the only place: another library must not stand in for it.</summary>
    public LibrarySearch Search(string? namedPath)
    {
        if (!string.IsNullOrEmpty(namedPath)) return SearchNamed(namedPath, $"{namedPath} (--ort)");
        if (!string.IsNullOrEmpty(EnvironmentPath)) return SearchNamed(EnvironmentPath, $"{EnvironmentPath} (FEWBIT_ORT)");
        var tried = new List<string>();
        foreach ((string place, IEnumerable<string> folders) in Folders())
        {
            tried.Add(place);
            if (folders.Select(LibraryIn).FirstOrDefault(path => path is not null) is { } found) return new(found, tried);
        }
        return new(null, tried);
    }

    private LibrarySearch SearchNamed(string path, string place) =>
        new(File.Exists(path) ? Path.GetFullPath(path) : LibraryIn(path), [place]);

    private IEnumerable<(string Place, IEnumerable<string> Folders)> Folders()
    {
        string native = Path.Combine("runtimes", RuntimeIdentifier, "native"), node = Path.Combine("node_modules", "onnxruntime-node", "bin");
        yield return ($"{Path.Combine(ToolFolder, FilePattern)} (beside the tool)", [ToolFolder, .. NativeFolders(ToolFolder)]);
        string nodeFile = Path.Combine(WorkingFolder, node, "napi-v*", NodeFolder, FilePattern);
        yield return ($"{nodeFile}, and in node_modules of the folders above it", NodeFolders(node));
        yield return ($"{Path.Combine(NuGetFolder, "microsoft.ml.onnxruntime*", "*", native, FilePattern)} (NuGet cache)", PackageFolders());
    }

    private IEnumerable<string> NodeFolders(string node)
    {
        for (DirectoryInfo? folder = new(WorkingFolder); folder is not null; folder = folder.Parent)
        {
            foreach (string version in Subfolders(Path.Combine(folder.FullName, node), "napi-v*").OrderByDescending(LastNumber))
                yield return Path.Combine(version, NodeFolder);
        }
    }

    // The plain CPU package sorts before .gpu and the like; the newest version first.
    private IEnumerable<string> PackageFolders() =>
        from package in Subfolders(NuGetFolder, "microsoft.ml.onnxruntime*").Order(StringComparer.Ordinal)
        from version in Subfolders(package, "*").OrderByDescending(LastVersion)
        from folder in NativeFolders(version)
        select folder;

    private IEnumerable<string> NativeFolders(string folder) =>
        Subfolders(Path.Combine(folder, "runtimes"), RuntimeIdentifier).Select(runtime => Path.Combine(runtime, "native"));

    private string? LibraryIn(string folder) =>
        !Directory.Exists(folder) ? null : Directory.EnumerateFiles(folder, FilePattern).Select(Path.GetFullPath)
            .OrderBy(path => path.Length).ThenBy(path => path, StringComparer.Ordinal).FirstOrDefault();

    private static IEnumerable<string> Subfolders(string folder, string pattern) =>
        Directory.Exists(folder) ? Directory.EnumerateDirectories(folder, pattern) : [];

    private static int LastNumber(string folder) => int.TryParse(Path.GetFileName(folder).AsSpan("napi-v".Length), out int number) ? number : 0;

    private static Version LastVersion(string folder) => Version.TryParse(Path.GetFileName(folder).Split('-')[0], out Version? version) ? version : new();
}
