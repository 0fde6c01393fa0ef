using Fewbit.Graphs.Operators;

namespace Fewbit.Graphs.Tests.Differentiation;

/// <summary>Every operator of the registry is checked against finite differences, or says why it has no gradient.</summary>
public sealed class GradientCoverageTests
{
    private static readonly HashSet<(string Domain, string OpType)> Checked = [.. GradientCases.All.Select(point => (point.Domain, point.OpType))];

    [Fact]
    public void Registry_EveryOperator_HasACaseOrAReason()
    {
        string[] missing = [.. OperatorTable.Names.Where(name => !Checked.Contains(name) && !NotDifferentiable.Reasons.ContainsKey(name)).Select(name => $"{name.Domain}.{name.OpType}")];
        Assert.True(missing.Length == 0, $"neither a finite-difference case nor a reason: {string.Join(", ", missing)}");
    }

    [Fact]
    public void Reasons_OfOperatorsThatHaveACase_AreNotThere()
    {
        Assert.Empty(NotDifferentiable.Reasons.Keys.Where(Checked.Contains));
        Assert.Empty(NotDifferentiable.Reasons.Keys.Except(OperatorTable.Names));
    }

    /// <summary>By the types themselves, whatever name they are registered under.</summary>
    [Fact]
    public void Rules_EveryType_IsMetByACase()
    {
        HashSet<Type> met = [.. GradientCases.All.Select(point => Definition(OperatorOf(point).GetType()))];
        string[] missing = [.. typeof(OperatorTable).Assembly.GetTypes()
            .Where(type => type is { IsAbstract: false } && type.IsAssignableTo(typeof(IDifferentiable)) && !met.Contains(Definition(type)) && !CheckedElsewhere.Contains(type.Name)).Select(type => type.Name)];
        Assert.True(missing.Length == 0, $"no finite-difference case meets the rule of {string.Join(", ", missing)}");
    }

    /// <summary>Float32 only, or defined by their gradient alone: tests of their own compare them.</summary>
    private static readonly string[] CheckedElsewhere = ["FakeQuantize"];

    private static Type Definition(Type type) => type.IsGenericType ? type.GetGenericTypeDefinition() : type;

    private static IOperator OperatorOf(GradientCase point)
    {
        var graph = new Graph(opset: point.Opset);
        point.Build([.. point.Learned.Select((tensor, i) => graph.AddInput($"x{i}", tensor.Type, SymbolicShape.From(tensor.Shape)))]);
        return graph.Nodes.First(node => node.OpType == point.OpType && node.Domain == point.Domain).Operator;
    }
}
