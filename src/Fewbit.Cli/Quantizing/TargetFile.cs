using Fewbit.Cli.Console;

namespace Fewbit.Cli.Quantizing;

/// <summary>The file that a command writes.</summary>
internal static class TargetFile
{
    /// <summary>What was asked for, or the model's name with the format before its extension.</summary>
    public static string Of(string model, string? named, string format) => named ?? Path.ChangeExtension(model, $".{format}.onnx");

    /// <summary>Says before any work that the file could not be written at its end.</summary>
    /// <exception cref="UsageException">It is the model itself.</exception>
    /// <exception cref="IOException">It is there and may not be replaced, or its folder is not there.</exception>
    public static void CheckWritable(string path, string? model, bool overwrite, string option = "-o")
    {
        if (model is not null && Path.GetFullPath(path) == Path.GetFullPath(model)) throw new UsageException($"{path}: is the model itself; name another file with -o");
        CheckFolder(path);
        if (File.Exists(path) && !overwrite) throw new IOException($"{path}: is there already; give --overwrite, or another file with {option}");
    }

    /// <summary>Says before any work that a file could not stand where it is named.</summary>
    /// <exception cref="IOException">Its folder is not there, or it is a folder.</exception>
    public static void CheckFolder(string path)
    {
        string full = Path.GetFullPath(path), folder = Path.GetDirectoryName(full) ?? full;
        if (!Directory.Exists(folder)) throw new IOException($"{path}: there is no folder {folder}");
        if (Directory.Exists(full)) throw new IOException($"{path}: is a folder, expected a file to write");
    }

    /// <summary>Writes text so that the file appears complete or not at all.</summary>
    public static void WriteText(string path, string text)
    {
        string temporary = $"{path}.{Environment.ProcessId}.tmp";
        try
        {
            File.WriteAllText(temporary, text);
            File.Move(temporary, path, overwrite: true);
        }
        finally
        {
            File.Delete(temporary);
        }
    }
}
