using System.Text.Json.Nodes;
using Fewbit.Data;

namespace Fewbit.Storage;

/// <summary>What a long work decided or learned so far: a kind, a fingerprint of what it was made from, and named sections. Read and written by <see cref="ArtifactFile"/>.</summary>
/// <remarks>A plan holds decisions and their outcomes; a checkpoint is a plan with sections of unfinished state. Later work adds sections; there is no second format.</remarks>
public sealed class Artifact
{
    /// <summary>Kind of finished decisions.</summary>
    public const string Plan = "plan";

    /// <summary>Kind of a plan with unfinished state.</summary>
    public const string Checkpoint = "checkpoint";

    private readonly Dictionary<string, ArtifactSection> _sections = new(StringComparer.Ordinal);
    private readonly string _source;

    /// <param name="kind"><see cref="Plan"/> or <see cref="Checkpoint"/>.</param>
    /// <param name="fingerprint">What it is made from.</param>
    public Artifact(string kind, ArtifactFingerprint fingerprint) : this(kind, fingerprint, "the artifact")
    {
    }

    internal Artifact(string kind, ArtifactFingerprint fingerprint, string source) => (Kind, Fingerprint, _source) = (kind, fingerprint, source);

    /// <summary>What the artifact is: <see cref="Plan"/> or <see cref="Checkpoint"/>.</summary>
    public string Kind { get; }

    /// <summary>What it is made from.</summary>
    public ArtifactFingerprint Fingerprint { get; }

    /// <summary>The sections in the order in which they were added.</summary>
    public IReadOnlyCollection<ArtifactSection> Sections => _sections.Values;

    /// <summary>Adds an empty section.</summary>
    /// <param name="name">Its name: letters, digits, '_', '-' and '.'.</param>
    /// <param name="version">Version of what it will hold, at least 1.</param>
    /// <exception cref="ArgumentException">There is a section of the name, or it is no name.</exception>
    public ArtifactSection Add(string name, int version)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(version, 1);
        return IsName(name) ? Add(name, version, []) : throw new ArgumentException($"'{name}' cannot name a section: expected letters, digits, '_', '-' and '.'", nameof(name));
    }

    /// <summary>A section by name.</summary>
    /// <param name="name">Its name.</param>
    /// <param name="newest">The newest version that the caller understands.</param>
    /// <exception cref="InvalidDataException">There is none of the name, or it is newer.</exception>
    public ArtifactSection Section(string name, int newest) =>
        Find(name, newest) ?? throw new InvalidDataException($"{_source}: has no section '{name}', it has {(_sections.Count == 0 ? "none" : string.Join(", ", _sections.Keys))}");

    /// <summary>A section by name; null where there is none.</summary>
    /// <inheritdoc cref="Section"/>
    public ArtifactSection? Find(string name, int newest)
    {
        if (_sections.GetValueOrDefault(name) is not { } section) return null;
        return section.Version <= newest ? section
            : throw new InvalidDataException($"{_source}: section '{name}' is of version {section.Version}, this Fewbit knows up to {newest}; use a newer Fewbit");
    }

    internal ArtifactSection Add(string name, int version, JsonObject values)
    {
        var section = new ArtifactSection(name, version, values, _source);
        return _sections.TryAdd(name, section) ? section : throw new ArgumentException($"there is already a section '{Printable.Of(name)}'", nameof(name));
    }

    internal static bool IsName(string name) => name.Length is > 0 and <= 100 && name.All(c => char.IsAsciiLetterOrDigit(c) || c is '_' or '-' or '.');
}
