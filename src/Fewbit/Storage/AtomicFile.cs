using System.Globalization;

namespace Fewbit.Storage;

/// <summary>Files that appear whole or not at all: written beside their place, brought to the disk, renamed.</summary>
internal static class AtomicFile
{
    public static void Write(string path, Action<Stream> write) => Write(path, write, _ => path);

    /// <summary>Writes a file whose name is known only when its content is.</summary>
    /// <param name="near">A path in the same folder, from which the temporary name is made.</param>
    /// <param name="write">Writes the content.</param>
    /// <param name="place">Given the temporary file, where it goes.</param>
    public static string Write(string near, Action<Stream> write, Func<string, string> place)
    {
        string temporary = string.Create(CultureInfo.InvariantCulture, $"{near}.{Environment.ProcessId}.tmp");
        try
        {
            using (var file = new FileStream(temporary, FileMode.Create, FileAccess.Write, FileShare.None, 1 << 16))
            {
                write(file);
                file.Flush(flushToDisk: true);
            }
            string path = place(temporary);
            File.Move(temporary, path, overwrite: true);
            return path;
        }
        finally
        {
            File.Delete(temporary);
        }
    }
}
