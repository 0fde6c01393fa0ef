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
    public static void CheckWritable(string path, string? model, bool overwrite)
    {
        string full = Path.GetFullPath(path), folder = Path.GetDirectoryName(full)!;
        if (model is not null && full == Path.GetFullPath(model)) throw new UsageException($"{path}: is the model itself; name another file with -o");
        if (!Directory.Exists(folder)) throw new IOException($"{path}: there is no folder {folder}");
        if (Directory.Exists(full)) throw new IOException($"{path}: is a folder, expected a file to write");
        if (File.Exists(full) && !overwrite) throw new IOException($"{path}: is there already; give --overwrite, or another file with -o");
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
