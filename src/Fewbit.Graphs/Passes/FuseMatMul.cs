using Fewbit.Graphs.Operators;
using Fewbit.Tensors;
using Fewbit.Tensors.Kernels;

namespace Fewbit.Graphs.Passes;

/// <summary>MatMul or Gemm by one matrix, the Add of a bias and of a residual after it, and an activation after those become one ai.fewbit FusedMatMul.</summary>
/// <remarks>For running only: it has no gradient rule, and no other runtime knows it. A Gemm without anything to take over stays.</remarks>
public sealed class FuseMatMul : IPass
{
    /// <inheritdoc/>
    public string Name => "fuse matrix product and activation";

    /// <inheritdoc/>
    public PassReport Run(Graph graph)
    {
        var report = new PassReport(Name);
        // From the back, so that of two products that are added the later one takes the sum over.
        foreach (Node node in graph.Nodes.Where(IsProduct).Reverse().ToArray()) Fuse(node, report);
        graph.RemoveUnusedValues();
        return report;
    }

    private static bool IsProduct(Node node)
    {
        if (!node.Is("MatMul") && !node.Is("Gemm")) return false;
        if (node.Outputs[0].Type != ElementType.Float32 || node.Inputs[1]!.Shape is not { Rank: 2 } || node.Inputs[0]!.Shape is not { Rank: >= 2 }) return false;
        return node.Is("MatMul") || (node.Int("transA", 0) == 0 && (node.Input(2) is not { } bias || (node.Float("beta", 1) == 1 && IsBias(bias, node.Outputs[0]))));
    }

    private static void Fuse(Node product, PassReport report)
    {
        Value? bias = product.Input(2), residual = null;
        List<Node> taken = [product];
        while (taken[^1].OnlyReader() is { } add && add.Is("Add") && residual is null)
        {
            Value sum = taken[^1].Outputs[0], other = add.Other(sum);
            if (other == sum) break;
            if (bias is null && IsBias(other, sum)) bias = other;
            else if (IsResidual(other, sum)) residual = other;
            else break;
            taken.Add(add);
        }
        Activation activation = Activation.None;
        if (taken[^1].OnlyReader() is { } reader && ActivationOf(reader) is { } found)
        {
            taken.Add(reader);
            activation = found;
        }
        if (taken.Count == 1) return;
        report.Change(product, $"takes over {string.Join(" and ", taken.Skip(1).Select(node => node.OpType))}");
        Replace(taken, bias, residual, activation);
    }

    private static void Replace(List<Node> taken, Value? bias, Value? residual, Activation activation)
    {
        (Node product, Graph graph, Value output) = (taken[0], taken[0].Graph, taken[^1].Outputs[0]);
        var attributes = new Attributes { { "transB", product.Int("transB", 0) }, { "alpha", product.Float("alpha", 1) } };
        FusedActivation.Write(activation, attributes);
        Value?[] inputs = residual is not null ? [product.Inputs[0], product.Inputs[1], bias, residual] : [product.Inputs[0], product.Inputs[1], bias];
        // Bias and residual may be computed after the product: the fused node stands where the last one stood.
        int index = graph.IndexOf(taken[^1]) - (taken.Count - 1);
        foreach (Node node in taken) graph.Remove(node);
        graph.InsertNode(index, OperatorTable.FewbitDomain, "FusedMatMul", product.Name, inputs, [output], attributes);
    }

    /// <summary>A vector with one element for each column.</summary>
    private static bool IsBias(Value value, Value product) =>
        value.Type == ElementType.Float32 && value.Shape is { Rank: 1 } shape && product.Shape is { } result && shape[0] == result.Dims[^1] && shape[0] != Dim.Unknown;

    private static bool IsResidual(Value value, Value product) =>
        value.Type == ElementType.Float32 && value.Shape is { } shape && shape.Equals(product.Shape) && !shape.Contains(Dim.Unknown);

    private static Activation? ActivationOf(Node node)
    {
        if (node.Is("Gelu")) return node.String("approximate", "none") == "tanh" ? Activation.TanhGelu : Activation.Gelu;
        return node.Is("Swish") ? Activation.Swish(node.Float("alpha", 1)) : FuseActivation.ActivationOf(node);
    }
}
