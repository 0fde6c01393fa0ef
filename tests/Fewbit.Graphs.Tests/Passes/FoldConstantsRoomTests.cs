using Fewbit.Graphs.Passes;
using Fewbit.Tensors;

namespace Fewbit.Graphs.Tests.Passes;

public sealed class FoldConstantsRoomTests
{
    private const int Words = 1000, CodesPerWord = 21;

    /// <summary>Words of 64 bits that are taken apart in several steps, each as large as all codes in 64 bits.</summary>
    private static Graph Unpacking(int steps)
    {
        var graph = new Graph("unpack", 13);
        Value x = graph.AddInput("x", ElementType.Int8, [1]);
        Value codes = graph.AddConstant("words", Tensor.Allocate(ElementType.UInt64, [Words, 1]));
        Value shifts = graph.AddConstant("shifts", Tensor.Allocate(ElementType.UInt64, [1, CodesPerWord]));
        for (int i = 0; i < steps; i++) codes = graph.AddNode("BitShift", [codes, shifts], new() { { "direction", "RIGHT" } }).Outputs[0];
        Value bytes = graph.AddNode("Cast", [codes], new() { { "to", (long)ElementType.Int8 } }).Outputs[0];
        graph.AddOutput(graph.AddNode("Concat", [graph.AddNode("Reshape", [bytes, graph.AddConstant("flat", Tensor.From<long>([-1L]))]).Outputs[0], x], new() { { "axis", 0 } }).Outputs[0]);
        return graph;
    }

    [Fact]
    public void Run_StepsOnTheWayToASmallConstant_TakeRoomForTwoOfThemOnly()
    {
        // Two steps of 168,000 bytes stand beside each other, whatever their number.
        Graph graph = Unpacking(6);
        new FoldConstants { MaxGrowth = 1 << 20, MaxTotal = 350_000 }.Run(graph);
        Assert.Equal(["Concat"], graph.Nodes.Select(node => node.OpType));
    }

    [Fact]
    public void Run_StepThatLeavesTheRoom_Stays()
    {
        Graph graph = Unpacking(2);
        new FoldConstants { MaxGrowth = 1 << 20, MaxTotal = 100_000 }.Run(graph);
        Assert.Equal(["BitShift", "BitShift", "Cast", "Reshape", "Concat"], graph.Nodes.Select(node => node.OpType));
    }
}
