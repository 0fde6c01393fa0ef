using Fewbit.Cli.Console;
using Fewbit.Storage;

namespace Fewbit.Cli.Quantizing;

/// <summary>The file that keeps unfinished learning: beside the output unless it was named.</summary>
internal static class CheckpointFile
{
    public static string PathOf(LearningSettings settings, string target) => settings.Checkpoint ?? target + ".checkpoint.json";

    /// <summary>Says before any work whether the file fits what is asked.</summary>
    /// <exception cref="IOException">It is there and was not asked for, or is asked for and not there.</exception>
    public static void Check(string path, bool resumes, bool overwrites)
    {
        if (resumes && !File.Exists(path)) throw new IOException($"{path}: there is no checkpoint to go on from; leave --resume out, or name its file with --checkpoint");
        if (resumes) return;
        if (File.Exists(path) && !overwrites) throw new IOException($"{path}: a checkpoint of unfinished work is there; --resume goes on from it, --overwrite starts anew");
        if (!Directory.Exists(Path.GetDirectoryName(Path.GetFullPath(path)))) throw new IOException($"{path}: there is no folder {Path.GetDirectoryName(Path.GetFullPath(path))}");
        ArtifactFile.Delete(path);
    }

    /// <summary>Tells a person who stopped the work how to go on.</summary>
    public static void Announce(string path, CommandOutput output)
    {
        if (File.Exists(path)) output.Note($"{path}: keeps the unfinished work; the same command with --resume goes on from it");
    }
}
