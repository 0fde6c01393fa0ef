using Fewbit.Graphs.Operators;

namespace Fewbit.Graphs.Tests.Differentiation;

/// <summary>Every operator of the registry is checked against finite differences, or says why it has no gradient.</summary>
public sealed class GradientCoverageTests
{
    private static readonly HashSet<(string Domain, string OpType)> Named = [.. GradientCases.All.Select(point => (point.Domain, point.OpType))];
    private static readonly Node[] Met = [.. GradientCases.All.SelectMany(Differentiated)];

    /// <summary>Float32 only, or defined by their gradient alone: the tests named compare them.</summary>
    private static readonly Dictionary<string, string> CheckedElsewhere = new()
    {
        ["AttentionGradient"] = "SequenceGradientTests",
        ["BatchNormalizationGradient"] = "BatchNormalizationTrainingTests",
        ["BatchNormalizationTraining"] = "BatchNormalizationTrainingTests",
        ["LSTMGradient"] = "SequenceGradientTests",
        ["LstmGradient"] = "SequenceGradientTests",
        ["MultiHeadAttention"] = "SequenceGradientTests",
        ["GroupQueryAttention"] = "GroupQueryGradientTests",
        ["FakeQuantize"] = "FakeQuantizeTests",
        ["DropQuantize"] = "DropQuantizeTests",
        ["LevelQuantize"] = "LevelQuantizeTests",
        ["SoftBetween"] = "LevelQuantizeTests",
        ["SoftRoundedWeight"] = "SoftRoundingTests",
        ["RoundingRegularizer"] = "SoftRoundingTests",
        ["PowerLoss"] = "SoftRoundingTests",
        ["If"] = "ControlGradientTests",
        ["Loop"] = "ControlGradientTests",
        ["Scan"] = "ControlGradientTests",
        ["CustomGradient"] = "CustomGradientTests",
        ["StopGradient"] = "CustomGradientTests",
        ["ScaleGradient"] = "CustomGradientTests",
    };

    [Fact]
    public void Registry_EveryOperator_HasACaseOrAReason()
    {
        HashSet<(string, string)> met = [.. Met.Select(node => (node.Domain, node.OpType))];
        string[] missing = [.. OperatorTable.Names.Where(name => !met.Contains(name) && !NotDifferentiable.Reasons.ContainsKey(name) && !CheckedElsewhere.ContainsKey(name.OpType)).Select(name => $"{name.Domain}.{name.OpType}")];
        Assert.True(missing.Length == 0, $"neither a finite-difference case nor a reason: {string.Join(", ", missing)}");
    }

    [Fact]
    public void Reasons_OfOperatorsThatHaveACase_AreNotThere()
    {
        Assert.Equal([], NotDifferentiable.Reasons.Keys.Intersect(Named));
        Assert.Empty(NotDifferentiable.Reasons.Keys.Except(OperatorTable.Names));
    }

    /// <summary>By the types themselves, whatever name they are registered under.</summary>
    [Fact]
    public void Rules_EveryType_IsMetByACase()
    {
        HashSet<Type> met = [.. Met.Select(node => Definition(node.Operator.GetType()))];
        string[] missing = [.. typeof(OperatorTable).Assembly.GetTypes()
            .Where(type => type is { IsAbstract: false } && type.IsAssignableTo(typeof(IDifferentiable)) && !met.Contains(Definition(type)) && !CheckedElsewhere.ContainsKey(type.Name)).Select(type => type.Name)];
        Assert.True(missing.Length == 0, $"no finite-difference case meets the rule of {string.Join(", ", missing)}");
    }

    private static Type Definition(Type type) => type.IsGenericType ? type.GetGenericTypeDefinition() : type;

    /// <summary>The node of a case, and those of its gradient that the second derivative goes through.</summary>
    private static IEnumerable<Node> Differentiated(GradientCase point)
    {
        var graph = new Graph(opset: point.Opset);
        Value[] learned = [.. point.Learned.Select((tensor, i) => graph.AddInput($"x{i}", tensor.Type, SymbolicShape.From(tensor.Shape)))];
        Value[] outputs = point.Build(learned);
        yield return graph.Nodes.First(node => node.OpType == point.OpType && node.Domain == point.Domain);
        if (point.Order < 2) yield break;
        int first = graph.Nodes.Count;
        var read = new HashSet<Value>(outputs.SelectMany(output => Gradients.Of(output, learned)));
        foreach (Node node in graph.Nodes.Skip(first).Reverse())
        {
            if (!node.Outputs.Any(read.Contains) || node.Operator is not IDifferentiable) continue;
            read.UnionWith(node.Inputs.OfType<Value>());
            yield return node;
        }
    }
}
