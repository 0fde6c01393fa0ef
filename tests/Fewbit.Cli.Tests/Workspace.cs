namespace Fewbit.Cli.Tests;

/// <summary>A folder of its own for each test, removed at the end.</summary>
internal sealed class Workspace : IDisposable
{
    public string Folder { get; } = Directory.CreateTempSubdirectory("fewbit-cli-").FullName;

    /// <summary>The path of a file in the folder.</summary>
    public string this[string name] => Path.Combine(Folder, name);

    /// <summary>The embedded demonstration model as a file.</summary>
    public string DemoModel()
    {
        string path = this["demo.onnx"];
        using Stream model = typeof(CommandLine).Assembly.GetManifestResourceStream("demo.onnx")!;
        using FileStream file = File.Create(path);
        model.CopyTo(file);
        return path;
    }

    public void Dispose() => Directory.Delete(Folder, recursive: true);
}
