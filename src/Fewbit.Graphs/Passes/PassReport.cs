namespace Fewbit.Graphs.Passes;

/// <summary>One change, or one thing left as it was.</summary>
/// <param name="Node">Name of the node as it was before the pass.</param>
/// <param name="Text">What was done, or the reason for leaving it.</param>
public sealed record PassNote(string Node, string Text)
{
    /// <summary>The form of messages: conv1: text.</summary>
    public override string ToString() => $"{Node}: {Text}";
}

/// <summary>What a pass did to a graph.</summary>
public sealed class PassReport
{
    private readonly List<PassNote> _changes = [];
    private readonly List<PassNote> _skipped = [];

    /// <summary>An empty report of a pass.</summary>
    public PassReport(string pass) => Pass = pass;

    /// <summary>Name of the pass.</summary>
    public string Pass { get; }

    /// <summary>True where the graph is no longer what it was.</summary>
    public bool HasChanged => _changes.Count > 0;

    /// <summary>What was changed, in the order of the graph.</summary>
    public IReadOnlyList<PassNote> Changes => _changes;

    /// <summary>What looked like work for the pass, but was left, with the reason.</summary>
    public IReadOnlyList<PassNote> Skipped => _skipped;

    /// <summary>States a change.</summary>
    public void Change(Node node, string text) => _changes.Add(new(node.Name, text));

    /// <summary>States that something was left.</summary>
    public void Skip(Node node, string reason) => _skipped.Add(new(node.Name, reason));

    /// <summary>One line: name, changes, things left.</summary>
    public override string ToString() => $"{Pass}: {_changes.Count} changed, {_skipped.Count} left";
}
