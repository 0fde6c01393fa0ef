namespace Fewbit.Storage;

/// <summary>What an artifact was made from, each part as a hash (<see cref="ContentHash"/>): what is resumed or applied must be the same.</summary>
/// <param name="Model">The model before anything was done to it.</param>
/// <param name="Data">The data that were learned or calibrated from.</param>
/// <param name="Options">Every setting that the result depends on.</param>
public sealed record ArtifactFingerprint(string Model, string Data, string Options)
{
    /// <summary>Throws where an artifact belongs to another model, other data or other options.</summary>
    /// <param name="current">What is to be continued now.</param>
    /// <param name="source">The artifact's file, for the message.</param>
    /// <exception cref="InvalidDataException">A part differs; the message names it.</exception>
    public void RequireSame(ArtifactFingerprint current, string source)
    {
        ArgumentNullException.ThrowIfNull(current);
        string[] different = [.. new[] { ("model", Model == current.Model), ("data", Data == current.Data), ("options", Options == current.Options) }.Where(part => !part.Item2).Select(part => part.Item1)];
        if (different.Length > 0)
            throw new InvalidDataException($"{source}: was made with other {string.Join(" and ", different)}; continue with the same, or write to another file to start anew");
    }
}
