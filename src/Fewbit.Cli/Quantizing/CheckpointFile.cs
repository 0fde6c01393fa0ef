using Fewbit.Cli.Console;
using Fewbit.Storage;

namespace Fewbit.Cli.Quantizing;

/// <summary>The file that keeps unfinished learning: beside the output unless it was named.</summary>
internal static class CheckpointFile
{
    public static string PathOf(LearningSettings settings, string target) => settings.Checkpoint ?? target + ".checkpoint.json";

    /// <summary>Says before any work whether the file fits what is asked.</summary>
    /// <param name="path">The checkpoint.</param>
    /// <param name="target">The model to write.</param>
    /// <param name="resumes">Whether the work goes on from it.</param>
    /// <param name="overwrites">Whether an older checkpoint may be replaced; any other file never is.</param>
    /// <exception cref="UsageException">It is the model to write.</exception>
    /// <exception cref="IOException">It is there and was not asked for, is asked for and not there, or is no checkpoint.</exception>
    public static void Check(string path, string target, bool resumes, bool overwrites)
    {
        if (Path.GetFullPath(path) == Path.GetFullPath(target)) throw new UsageException($"{path}: is the model to write, it cannot be the checkpoint too; name another file with --checkpoint");
        if (resumes && !File.Exists(path)) throw new IOException($"{path}: there is no checkpoint to go on from; leave --resume out, or name its file with --checkpoint");
        if (!resumes) TargetFile.CheckFolder(path);
        if (resumes || !File.Exists(path)) return;
        if (!ArtifactFile.IsArtifact(path)) throw new IOException($"{path}: is there already and is no checkpoint, so it is not replaced; name another file with --checkpoint");
        if (!overwrites) throw new IOException($"{path}: a checkpoint of unfinished work is there; --resume goes on from it, --overwrite starts anew");
    }

    /// <summary>Tells a person who stopped the work how to go on.</summary>
    public static void Announce(string path, CommandOutput output)
    {
        if (File.Exists(path)) output.Note($"{path}: keeps the unfinished work; the same command with --resume goes on from it");
    }
}
