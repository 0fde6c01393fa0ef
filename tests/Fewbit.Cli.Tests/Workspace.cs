using Fewbit.Cli.Inspection;
using Fewbit.Graphs;
using Fewbit.Onnx;

namespace Fewbit.Cli.Tests;

/// <summary>A folder of its own for each test, removed at the end.</summary>
internal sealed class Workspace : IDisposable
{
    public string Folder { get; } = Directory.CreateTempSubdirectory("fewbit-cli-").FullName;

    /// <summary>The path of a file in the folder.</summary>
    public string this[string name] => Path.Combine(Folder, name);

    /// <summary>The embedded demonstration model as a file that does not state its preprocessing, as most models do not.</summary>
    public string DemoModel()
    {
        string path = this["demo.onnx"];
        using Stream stream = typeof(CommandLine).Assembly.GetManifestResourceStream("demo.onnx")!;
        Graph model = OnnxFile.Load(stream);
        model.Metadata.Remove(PreprocessingMetadata.Key);
        OnnxFile.Save(model, path);
        return path;
    }

    public void Dispose() => Directory.Delete(Folder, recursive: true);
}
