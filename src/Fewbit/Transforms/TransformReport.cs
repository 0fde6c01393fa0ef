using Fewbit.Graphs;
using Fewbit.Graphs.Passes;

namespace Fewbit.Transforms;

/// <summary>What a transform did to a model.</summary>
public sealed class TransformReport
{
    private readonly List<PassNote> _changes = [];
    private readonly List<PassNote> _skipped = [];

    internal TransformReport(ModelTransform transform) => Transform = transform;

    /// <summary>The transform with its settings.</summary>
    public ModelTransform Transform { get; }

    /// <summary>What was changed.</summary>
    public IReadOnlyList<PassNote> Changes => _changes;

    /// <summary>What looked like work for the transform, but was left, with the reason.</summary>
    public IReadOnlyList<PassNote> Skipped => _skipped;

    /// <summary>|difference| / |output| of the float network on calibration data, of replacing Clip by Relu; null where no Clip stood between layers or there are no data.</summary>
    public double? ClipCost { get; internal set; }

    /// <summary>Sweeps of an equalization; 0 for others.</summary>
    public int Sweeps { get; internal set; }

    internal void Change(Node node, string text) => _changes.Add(new(node.Name, text));

    internal void Skip(Node node, string reason) => _skipped.Add(new(node.Name, reason));

    /// <summary>One line: name, changes, things left, costs.</summary>
    public override string ToString()
    {
        string sweeps = Sweeps > 0 ? $", {Sweeps} sweeps" : "", cost = ClipCost is { } share ? string.Create(System.Globalization.CultureInfo.InvariantCulture, $", Clip as Relu changes the float output by {share:P3}") : "";
        return $"{Transform.Name}: {_changes.Count} changed, {_skipped.Count} left{sweeps}{cost}";
    }
}
