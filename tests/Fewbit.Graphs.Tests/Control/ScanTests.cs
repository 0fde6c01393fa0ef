using Fewbit.Tensors;
using static Fewbit.Graphs.Tests.Control.ControlRun;

namespace Fewbit.Graphs.Tests.Control;

public class ScanTests
{
    [Theory]
    [InlineData(0, 0, new float[] { 1, 5, 3, 9, 6, 15 })]
    [InlineData(1, 0, new float[] { 3, 9, 2, 4, 1, -1 })]
    [InlineData(0, 1, new float[] { 6, 15, 3, 9, 1, 5 })]
    public void Run_Directions_SumAlongTheSecondDimension(long inputDirection, long outputDirection, float[] expected)
    {
        // The sums of [[1, 2, 3], [5, 4, 6]] or, backwards, of what is left once 3 and 6 went first.
        Tensor x = inputDirection == 0 ? Tensor.From<float>([1, 2, 3, 5, 4, 6], [2, 3]) : Tensor.From<float>([-1, -1, 3, -5, -5, 9], [2, 3]);
        (Graph graph, Node scan) = CumulativeSum(["N", "T"], new()
        {
            { "num_scan_inputs", 1 }, { "scan_input_axes", new[] { -1L } }, { "scan_input_directions", new[] { inputDirection } }, { "scan_output_directions", new[] { outputDirection } },
        });
        Tensor[] results = All(graph, ("zero", Tensor.From<float>(0, 0)), ("x", x));
        Assert.Equal(expected, Floats(results[1]));
        Assert.Equal("float32 [3, 2]", results[1].ToString());
        Assert.Equal(["T", 2], scan.Outputs[1].Shape!);
    }

    [Fact]
    public void Run_OutputAxis_StacksThere()
    {
        (Graph graph, Node scan) = CumulativeSum(["T", 2], new() { { "num_scan_inputs", 1 }, { "scan_output_axes", new[] { -1L } } });
        Tensor[] results = All(graph, ("zero", Tensor.From<float>(0, 0)), ("x", Tensor.From<float>([1, 2, 3, 4, 5, 6], [3, 2])));
        Assert.Equal([9, 12], Floats(results[0]));
        Assert.Equal([1, 4, 9, 2, 6, 12], Floats(results[1]));
        Assert.Equal([2, "T"], scan.Outputs[1].Shape!);
    }

    [Fact]
    public void Run_NoPosition_ReturnsTheInitialState()
    {
        (Graph graph, _) = CumulativeSum(["T", 2], new() { { "num_scan_inputs", 1 } });
        Tensor[] results = All(graph, ("zero", Tensor.From<float>(3, 4)), ("x", Tensor.Allocate(ElementType.Float32, [0, 2])));
        Assert.Equal([3, 4], Floats(results[0]));
        Assert.Equal("float32 [0, 2]", results[1].ToString());
    }

    [Fact]
    public void Run_FourBitElements_KeepTheirCodes()
    {
        var graph = new Graph(opset: 21);
        Value x = graph.AddInput("x", ElementType.Int4, [3, 3]);
        var body = new Graph("body", parent: graph);
        body.AddOutput(body.Node("Identity", body.AddInput("slice", ElementType.Int4, [3])));
        graph.AddOutput(graph.AddNode("Scan", [x], new() { { "num_scan_inputs", 1 }, { "scan_input_axes", new[] { 1L } }, { "body", body } }).Outputs[0]);
        Tensor codes = Tensor.Allocate(ElementType.Int4, [3, 3]), transposed = Tensor.Allocate(ElementType.Int4, [3, 3]);
        PackedElements.Pack([1, 2, 3, 4, 5, 6, 7, 8, 9], 4, codes.Bytes);
        PackedElements.Pack([1, 4, 7, 2, 5, 8, 3, 6, 9], 4, transposed.Bytes);
        Assert.Equal(transposed.Bytes.ToArray(), All(graph, ("x", codes))[0].Bytes.ToArray());
    }

    [Fact]
    public void Infer_InputsOfTwoLengths_AreRefused()
    {
        var graph = new Graph(opset: 21);
        var body = new Graph("body", parent: graph);
        body.AddOutput(body.Node("Add", body.AddInput("a", ElementType.Float32, []), body.AddInput("b", ElementType.Float32, [])));
        Value[] inputs = [graph.AddInput("x", ElementType.Float32, [2]), graph.AddInput("y", ElementType.Float32, [3])];
        string message = Assert.Throws<InvalidDataException>(() => graph.AddNode("Scan", inputs, new() { { "num_scan_inputs", 2 }, { "body", body } }, name: "scan")).Message;
        Assert.Equal("Scan 'scan': input 1 has length 3 along dimension 0, expected 2 as the one before", message);
    }

    private static (Graph Graph, Node Scan) CumulativeSum(SymbolicShape shape, Attributes attributes)
    {
        var graph = new Graph(opset: 21);
        Value zero = graph.AddInput("zero", ElementType.Float32, [2]), x = graph.AddInput("x", ElementType.Float32, shape);
        var body = new Graph("body", parent: graph);
        Value sum = body.Node("Add", body.AddInput("state", ElementType.Float32, [2]), body.AddInput("slice", ElementType.Float32, [2]));
        body.AddOutput(sum);
        body.AddOutput(body.Node("Identity", sum));
        attributes.Add("body", body);
        Node scan = graph.AddNode("Scan", [zero, x], attributes, outputs: 2);
        foreach (Value output in scan.Outputs) graph.AddOutput(output);
        return (graph, scan);
    }
}
