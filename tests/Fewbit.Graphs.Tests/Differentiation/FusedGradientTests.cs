using Fewbit.Graphs.Execution;
using Fewbit.Tensors;

namespace Fewbit.Graphs.Tests.Differentiation;

/// <summary>The product that passes fuse computes in float32 alone: its gradient is compared with that of the operators it stands for.</summary>
public sealed class FusedGradientTests
{
    [Theory]
    [InlineData("relu", "Relu")]
    [InlineData("gelu", "Gelu")]
    public void FusedMatMul_Gradient_IsThatOfItsParts(string activation, string opType)
    {
        var graph = new Graph(opset: 21);
        Value a = Constant(graph, 1, 5, 4), b = Constant(graph, 2, 3, 4), bias = Constant(graph, 3, 3), residual = Constant(graph, 4, 5, 3);
        Value fused = a.Apply("ai.fewbit", "FusedMatMul", new() { { "transB", 1 }, { "alpha", 0.5f }, { "activation", activation } }, b, bias, residual);
        Value parts = (a.MatMul(b.Transpose(1, 0)) * 0.5f + bias + residual).Apply(opType);
        Value[] learned = [a, b, bias, residual], found = Gradients.Of(fused, learned), expected = Gradients.Of(parts, learned);
        foreach (Value value in (Value[])[fused, parts, .. found, .. expected]) graph.AddOutput(value);
        Tensor[] results = new Interpreter().Run(graph, new Dictionary<string, Tensor>());
        AssertClose(results[1], results[0]);
        for (int i = 0; i < learned.Length; i++) AssertClose(results[2 + learned.Length + i], results[2 + i]);
    }

    private static Value Constant(Graph graph, int seed, params long[] lengths)
    {
        Value value = graph.AddConstant($"x{seed}", FloatGradientCheck.Narrow(GradientCheck.Random(new(lengths), seed)));
        value.IsVariable = true;
        return value;
    }

    private static void AssertClose(Tensor expected, Tensor found)
    {
        Assert.Equal(expected.Shape, found.Shape);
        // Sums of at most 5 products in another order.
        for (int i = 0; i < expected.ElementCount; i++) Assert.Equal(expected.Span<float>()[i], found.Span<float>()[i], 1e-5f);
    }
}
