using Fewbit.Graphs.Execution;
using Fewbit.Tensors;

namespace Fewbit.Graphs.Passes;

/// <summary>Replaces what follows from constants and stated shapes alone by constants.</summary>
/// <remarks>
/// Left as they are: variables, DequantizeLinear (its input is the quantized weight), random numbers, outputs of the graph, control flow,
/// and results larger than their inputs and than <see cref="MaxGrowth"/>. Symbolic lengths stay symbolic: nothing is folded that depends on a batch.
/// </remarks>
public sealed class FoldConstants : IPass
{
    private readonly Interpreter _interpreter = new();
    private readonly HashSet<Value> _made = [];
    private long _room;

    /// <inheritdoc/>
    public string Name => "fold constants";

    /// <summary>Bytes by which a constant may outgrow what it is computed from; 0 and up, 1 MiB by default.</summary>
    public long MaxGrowth { get; init => field = Require.InRange(value, 0, long.MaxValue); } = 1 << 20;

    /// <summary>Bytes of all constants that the pass makes, beside four times those that the graph has; 0 and up, 64 MiB by default.</summary>
    public long MaxTotal { get; init => field = Require.InRange(value, 0, long.MaxValue / 2); } = 64 << 20;

    /// <inheritdoc/>
    public PassReport Run(Graph graph)
    {
        // What earlier passes folded does not entitle to more.
        long own = Math.Max(0, graph.Constants.Sum(value => value.Constant!.ByteCount) - graph.FoldedBytes), room = MaxTotal + 4 * own - graph.FoldedBytes;
        _room = room;
        _made.Clear();
        var report = new PassReport(Name);
        Run(graph, report);
        graph.FoldedBytes += room - _room;
        return report;
    }

    private void Run(Graph graph, PassReport report)
    {
        Dictionary<Value, Dim[]> dims = Inference.InferDims(graph);
        foreach (Node node in graph.Nodes.ToArray())
        {
            foreach (Graph body in node.Subgraphs()) Run(body, report);
            if (node.Outputs.Any(output => output.IsOutput) || node.Outputs.Count == 0) continue;
            if (FromDims(node, dims) is { } lengths) Replace(node, [lengths], "its lengths are known", report);
            else if (IsFoldable(node, report)) Fold(node, report);
        }
        graph.RemoveUnusedValues();
    }

    /// <summary>The result of shape arithmetic whose lengths are all numbers.</summary>
    private static Tensor? FromDims(Node node, Dictionary<Value, Dim[]> dims)
    {
        if (node.Outputs.Count != 1 || !dims.TryGetValue(node.Outputs[0], out Dim[]? lengths) || !Array.TrueForAll(lengths, dim => dim.IsKnown)) return null;
        Value output = node.Outputs[0];
        return output is { Type: ElementType.Int64, Shape.IsKnown: true } ? Tensor.From<long>(Array.ConvertAll(lengths, dim => dim.Length), output.Shape.ToShape()) : null;
    }

    private static bool IsFoldable(Node node, PassReport report)
    {
        if (!node.Inputs.All(input => input is null || input.IsConstant) || !node.IsSupported || node.Subgraphs().Any()) return false;
        if (node.OpType.StartsWith("Random", StringComparison.Ordinal) || node.OpType is "Bernoulli" or "Multinomial") return false;
        if (node.OpType != "DequantizeLinear") return true;
        report.Skip(node, "its input is a quantized constant");
        return false;
    }

    private void Fold(Node node, PassReport report)
    {
        long room = Math.Min(_room, MaxGrowth + node.Inputs.Sum(input => input?.Constant!.ByteCount ?? 0));
        decimal expected = BytesOf(node);
        if (expected > room)
        {
            report.Skip(node, $"the constant would take {expected} bytes, more than {room}");
            return;
        }
        _room -= (long)expected;
        Value[] inputs = [.. node.Inputs.OfType<Value>().Distinct()], outputs = [.. node.Outputs];
        Tensor[] results = _interpreter.RunNode(node, value => value.Constant);
        Replace(node, results, "its inputs are constant", report);
        _made.UnionWith(outputs);
        // A step on the way to another constant takes no room for long: packed weights are taken apart in several.
        foreach (Value input in inputs.Where(input => input is { Uses.Count: 0, IsOutput: false } && _made.Remove(input))) _room += input.Constant!.ByteCount;
    }

    /// <summary>Bytes of the outputs, which follow from the constants where they do not follow from the graph.</summary>
    private static decimal BytesOf(Node node)
    {
        var source = new TensorSource(value => value.Constant);
        OperatorCalls.Infer(node, source);
        return node.Outputs.Select(source.OutputOf).Sum(output => output.Shape is { IsKnown: true } shape ? (decimal)OperatorCalls.ToShape(node, shape).ElementCount * output.Type.BitWidth() / 8 : 0);
    }

    private static void Replace(Node node, Tensor?[] results, string reason, PassReport report)
    {
        report.Change(node, $"{node.OpType} folded: {reason}");
        Value[] outputs = [.. node.Outputs];
        node.Graph.Remove(node);
        for (int i = 0; i < outputs.Length; i++)
        {
            if (results[i] is { } tensor) outputs[i].SetConstant(tensor);
        }
    }
}
