using Fewbit.Tests.Data.Images;

namespace Fewbit.Tests.Data;

/// <summary>A folder that lives as long as a test.</summary>
internal sealed class TempFolder : IDisposable
{
    public string Root { get; } = Directory.CreateTempSubdirectory("fewbit-data").FullName;

    public void Dispose() => Directory.Delete(Root, recursive: true);

    public string Path(string name) => System.IO.Path.Combine(Root, name);

    public string Write(string name, byte[] bytes)
    {
        string path = Path(name);
        Directory.CreateDirectory(System.IO.Path.GetDirectoryName(path)!);
        File.WriteAllBytes(path, bytes);
        return path;
    }

    public string Write(string name, string text) => Write(name, System.Text.Encoding.UTF8.GetBytes(text));

    /// <summary>A 2 x 2 picture of one grey.</summary>
    public string WritePng(string name, byte grey = 0) => Write(name, PngFile.Encode(2, 2, 0, 8, false, [grey, grey, grey, grey]));
}
