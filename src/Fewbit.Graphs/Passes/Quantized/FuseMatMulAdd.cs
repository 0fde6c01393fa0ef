using Fewbit.Tensors;

namespace Fewbit.Graphs.Passes.Quantized;

/// <summary>
/// MatMul + Add of a vector becomes Gemm, as ONNX Runtime does before it looks for quantized groups: the bias then joins the sum as int32 codes.
/// A stack of matrices of known shape is flattened to one.
/// </summary>
internal static class FuseMatMulAdd
{
    public static bool Apply(Graph graph)
    {
        bool changed = false;
        foreach (Node node in graph.Nodes.ToArray())
        {
            if (!node.Is("MatMul") || !node.Outputs[0].HasOneReader() || node.Outputs[0].Uses[0].Node is not { } add || !add.Is("Add")) continue;
            Value bias = add.Inputs[1 - node.Outputs[0].Uses[0].Index]!;
            if (node.Inputs[0]!.Shape is not { } a || node.Inputs[1]!.Shape is not { Rank: 2 } b || bias.Shape is not { } shape) continue;
            if (node.Inputs[0]!.Type != ElementType.Float32 || bias == node.Outputs[0]) continue;
            bool isMatrix = a.Rank == 2;
            if (!isMatrix && (!a.IsKnown || !b.IsKnown || IsAttentionProjection(node)) || !Fits(shape, isMatrix ? a : null, b)) continue;
            Fuse(graph, node, add, bias, isMatrix ? null : a.ToShape(), b);
            changed = true;
        }
        return changed;
    }

    /// <summary>Whether Gemm can add the bias: [N], and for a matrix [1, N], [M, 1] or [M, N].</summary>
    private static bool Fits(SymbolicShape bias, SymbolicShape? a, SymbolicShape b)
    {
        if (bias.Rank == 1) return Same(bias[0], b[1]);
        return a is not null && bias.Rank == 2 && (bias[0] == 1 && Same(bias[1], b[1]) || Same(bias[0], a[0]) && (bias[1] == 1 || Same(bias[1], b[1])));
    }

    private static bool Same(Dim a, Dim b) => a == b && a != Dim.Unknown;

    private static void Fuse(Graph graph, Node matMul, Node add, Value bias, Shape? stack, SymbolicShape b)
    {
        Value left = matMul.Inputs[0]!, right = matMul.Inputs[1]!, result = add.Outputs[0];
        string name = matMul.Name;
        graph.Remove(matMul);
        int index = graph.IndexOf(add);
        graph.Remove(add);
        if (stack is null)
        {
            graph.InsertNode(index, "", "Gemm", name, [left, right, bias], [result], []);
            return;
        }
        Shape shape = stack.Value;
        Value flat = Reshape(graph, index, left, [shape.CountOf(0, shape.Rank - 1), shape[shape.Rank - 1]], name + "/flat");
        Value product = graph.InsertNode(index + 1, "", "Gemm", [flat, right, bias], name: name).Outputs[0];
        Value target = graph.AddConstant(name + "/shape", Tensor.From<long>(shape.With(shape.Rank - 1, b[1].Length).Dims));
        graph.InsertNode(index + 2, "", "Reshape", name + "/stack", [product, target], [result], []);
    }

    private static Value Reshape(Graph graph, int index, Value value, long[] shape, string name) =>
        graph.InsertNode(index, "", "Reshape", [value, graph.AddConstant(name + "/shape", Tensor.From<long>(shape))], name: name).Outputs[0];

    /// <summary>Softmax -> MatMul -> Transpose -> Reshape -> this product: left to attention.</summary>
    private static bool IsAttentionProjection(Node matMul) => Producer(matMul, "Reshape") is { } reshape && Producer(reshape, "Transpose") is { } transpose
        && Producer(transpose, "MatMul") is { } values && Producer(values, "Softmax") is not null;

    private static Node? Producer(Node node, string opType) => node.Inputs[0]?.Producer is { } producer && producer.Is(opType) ? producer : null;
}
