using Fewbit.Graphs;
using Fewbit.Quantization;
using Fewbit.Tensors;
using Fewbit.Testing;

namespace Fewbit.Tests.Quantization;

public sealed class PlacementTests
{
    private static Graph ResidualBlock()
    {
        Graph graph = SmallGraphs.Create(out Value x, "N", 3, 8, 8);
        Value a = x.Conv("stem", 8).Named("Relu", "stem/relu");
        Value b = a.Conv("conv1", 8, seed: 3).Named("Relu", "relu1").Conv("conv2", 8, seed: 5);
        Value sum = b.Named("Add", "add", null, a).Named("Relu", "relu2");
        sum.Conv("head", 4, 1, seed: 7).Named("GlobalAveragePool", "pool").Returns();
        return graph;
    }

    [Fact]
    public void Quantize_ResidualBlock_PlacesOneQuantizerAtEachIntegerResult()
    {
        QuantizationResult result = SmallGraphs.Quantize(ResidualBlock());
        Assert.Equal(["input", "stem/relu/out", "relu1/out", "conv2/out", "relu2/out", "head/out"], result.Report.Tensors.Select(tensor => tensor.Name));
        Assert.Equal(NodeOutcome.Merged, result.Node("relu2").Outcome);
        Assert.Equal(NodeOutcome.Integer, result.Node("add").Outcome);
        Assert.Equal((NodeOutcome.Float, "its result is an output of the model, which stays float"), (result.Node("pool").Outcome, result.Node("pool").Reason));
        Assert.DoesNotContain(result.Model.Nodes, node => node.Is("Relu"));
        Assert.All(result.Report.Tensors.Where(tensor => tensor.Name.Contains("relu", StringComparison.Ordinal)), tensor => Assert.Equal(0, tensor.ZeroPoint));
        Assert.Equal(4, result.Report.Weights.Count);
    }

    [RuntimeFact]
    public void Quantize_ResidualBlock_IsFusedByTheRuntime()
    {
        IReadOnlyList<string> nodes = SmallGraphs.RuntimeNodes(SmallGraphs.Quantize(ResidualBlock()).Model, out float difference);
        Assert.Equal(4, nodes.Count(node => node.EndsWith("QLinearConv", StringComparison.Ordinal)));
        Assert.Contains("com.microsoft.QLinearAdd", nodes);
        Assert.DoesNotContain(nodes, node => node.EndsWith("FusedConv", StringComparison.Ordinal) || node == "Conv" || node == "Relu");
        Assert.InRange(difference, 0, 0.02f);
    }

    [Fact]
    public void Quantize_QuantizedGraph_IsCloseToFloat()
    {
        Graph graph = ResidualBlock();
        float[] expected = SmallGraphs.Run(graph), actual = SmallGraphs.Run(SmallGraphs.Quantize(graph).Model);
        float largest = expected.Max(MathF.Abs);
        // About six 8-bit roundings of 1/255 of the range each, averaged by the pool.
        Assert.All(expected.Zip(actual), pair => Assert.InRange(MathF.Abs(pair.First - pair.Second), 0, 0.05f * largest));
    }

    [RuntimeTheory]
    [InlineData("MaxPool")]
    [InlineData("Reshape")]
    [InlineData("Transpose")]
    [InlineData("Slice")]
    [InlineData("Split")]
    [InlineData("Gather")]
    [InlineData("Unsqueeze")]
    [InlineData("Flatten")]
    [InlineData("Pad")]
    [InlineData("Expand")]
    [InlineData("Resize")]
    public void Quantize_NodeThatMovesCodes_SharesParametersAndRunsOnCodes(string opType)
    {
        Graph graph = SmallGraphs.Create(out Value x, "N", 4, 8, 8);
        Value a = x.Conv("first", 8);
        Value moved = opType switch
        {
            "MaxPool" => a.Named("MaxPool", "move", new() { { "kernel_shape", new long[] { 2, 2 } }, { "strides", new long[] { 2, 2 } } }),
            "Reshape" => a.Named("Reshape", "move", null, graph.Ints("shape", 0, 8, 4, 16)),
            "Transpose" => a.Named("Transpose", "move", new() { { "perm", new long[] { 0, 1, 3, 2 } } }),
            "Slice" => a.Named("Slice", "move", null, graph.Ints("starts", 0), graph.Ints("ends", 8), graph.Ints("axes", 2), graph.Ints("steps", 2)),
            "Resize" => a.Named("Resize", "move", new() { { "mode", "nearest" }, { "coordinate_transformation_mode", "asymmetric" }, { "nearest_mode", "floor" } }, null, graph.AddConstant("scales", Tensor.From(1f, 1f, 2f, 2f))),
            "Split" => graph.AddNode("Split", [a], new() { { "axis", 1 } }, outputs: 2, name: "move").Outputs is [var left, var right] ? left.Conv("left", 8, seed: 4).Named("Concat", "join", new() { { "axis", 1 } }, right) : throw new InvalidOperationException(),
            "Gather" => a.Named("Gather", "move", new() { { "axis", 1 } }, graph.Ints("indices", 3, 1, 0, 7)),
            "Unsqueeze" => a.Named("Unsqueeze", "move", null, graph.Ints("axes", 2)).Named("Squeeze", "back", null, graph.Ints("axes2", 2)),
            "Flatten" => a.Named("Flatten", "move", new() { { "axis", 1 } }),
            "Pad" => a.Named("Pad", "move", null, graph.Ints("pads", 0, 2, 1, 1, 0, 2, 1, 1)),
            "Expand" => a.Named("GlobalAveragePool", "small").Named("Expand", "move", null, graph.Ints("shape", 1, 8, 8, 8)),
            _ => a.Named("Tile", "move", null, graph.Ints("repeats", 1, 1, 2, 1)),
        };
        if (opType == "Flatten") moved.Named("Gemm", "last", null, graph.AddConstant("w", SmallGraphs.Random([512, 10], 5))).Returns();
        else moved.Conv("last", 4, seed: 9).Named("GlobalAveragePool", "pool").Returns();

        QuantizationResult result = SmallGraphs.Quantize(graph);
        Assert.Equal(NodeOutcome.Integer, result.Node("move").Outcome);
        string origin = opType == "Expand" ? "small/out" : "first/out";
        TensorReport source = result.Report.Tensors.Single(tensor => tensor.Name == origin);
        Assert.All(result.Report.Tensors.Where(tensor => tensor.Name.StartsWith("move", StringComparison.Ordinal)), tensor => Assert.Equal((source.Scale, source.ZeroPoint, origin), (tensor.Scale, tensor.ZeroPoint, tensor.RangeOf)));
        IReadOnlyList<string> nodes = SmallGraphs.RuntimeNodes(result.Model, out float difference);
        // Codes in, codes out: one quantizer at the input, one dequantizer before the pool (none where a Gemm ends the model).
        Assert.Equal(1, nodes.Count(node => node == "QuantizeLinear"));
        Assert.Equal(opType == "Flatten" ? 0 : 1, nodes.Count(node => node == "DequantizeLinear"));
        Assert.InRange(difference, 0, 0.02f);
        Assert.NotEmpty(SmallGraphs.Run(result.Model));
    }

    [RuntimeTheory]
    [InlineData("Mul", "com.microsoft.QLinearMul")]
    [InlineData("Add", "com.microsoft.QLinearAdd")]
    [InlineData("Concat", "com.microsoft.QLinearConcat")]
    [InlineData("LeakyRelu", "com.microsoft.QLinearLeakyRelu")]
    [InlineData("Sigmoid", "com.microsoft.QLinearSigmoid")]
    [InlineData("Softmax", "com.microsoft.QLinearSoftmax")]
    [InlineData("AveragePool", "com.microsoft.QLinearAveragePool")]
    [InlineData("GlobalAveragePool", "com.microsoft.QLinearGlobalAveragePool")]
    [InlineData("AddConstant", "com.microsoft.QLinearAdd")]
    [InlineData("MulConstant", "com.microsoft.QLinearMul")]
    public void Quantize_ElementwiseBetweenLayers_IsFused(string what, string fused)
    {
        Graph graph = SmallGraphs.Create(out Value x, "N", 4, 8, 8);
        Value a = x.Conv("first", 8), b = x.Conv("second", 8, seed: 11).Named("Relu", "relu");
        Value result = what switch
        {
            "Concat" => a.Named("Concat", "node", new() { { "axis", 1 } }, b),
            "Add" or "Mul" => a.Named(what, "node", null, b),
            "AddConstant" => a.Named("Add", "node", null, graph.AddConstant("c", SmallGraphs.Random([8, 1, 1], 4))),
            "MulConstant" => a.Named("Mul", "node", null, graph.AddConstant("c", Tensor.Scalar(0.3f))),
            "AveragePool" => a.Named("AveragePool", "node", new() { { "kernel_shape", new long[] { 2, 2 } } }),
            "LeakyRelu" => a.Named("LeakyRelu", "node", new() { { "alpha", 0.1f } }),
            _ => a.Named(what, "node"),
        };
        result.Conv("last", 4, 1, seed: 9).Named("GlobalAveragePool", "pool").Returns();
        QuantizationResult quantized = SmallGraphs.Quantize(graph);
        Assert.Equal(NodeOutcome.Integer, quantized.Node("node").Outcome);
        Assert.Contains(fused, SmallGraphs.RuntimeNodes(quantized.Model, out float difference));
        Assert.InRange(difference, 0, 0.02f);
    }

    [Fact]
    public void Quantize_ConcatOfOwnInputs_SharesItsScaleUnlessAReluWouldBeLost()
    {
        Graph graph = SmallGraphs.Create(out Value x, "N", 4, 8, 8);
        Value a = x.Conv("a", 8), b = x.Conv("b", 8, seed: 11).Named("Relu", "relu");
        a.Named("Concat", "join", new() { { "axis", 1 } }, b).Conv("last", 4, 1, seed: 9).Named("GlobalAveragePool", "pool").Returns();
        QuantizationResult result = SmallGraphs.Quantize(graph);
        Assert.Equal("join/out", result.Report.Tensors.Single(tensor => tensor.Name == "a/out").RangeOf);
        TensorReport relu = result.Report.Tensors.Single(tensor => tensor.Name == "relu/out");
        Assert.Equal(("relu/out", 0), (relu.RangeOf, relu.ZeroPoint));
    }

    [RuntimeFact]
    public void Quantize_Relu6_ClipDisappearsInTheQuantizer()
    {
        Graph graph = SmallGraphs.Create(out Value x, "N", 4, 8, 8);
        Value scaled = graph.AddConstant("w", SmallGraphs.Random([8, 4, 1, 1], 3, 20));
        Value clip = x.Named("Conv", "conv", null, scaled).Named("Clip", "clip", null, graph.AddConstant("low", Tensor.Scalar(0f)), graph.AddConstant("high", Tensor.Scalar(6f)));
        clip.Conv("last", 4, 1, seed: 9).Named("GlobalAveragePool", "pool").Returns();
        QuantizationResult result = SmallGraphs.Quantize(graph);
        Assert.Equal(NodeOutcome.Merged, result.Node("clip").Outcome);
        Assert.DoesNotContain(result.Model.Nodes, node => node.Is("Clip"));
        Assert.Equal(2, SmallGraphs.RuntimeNodes(result.Model, out _).Count(node => node.EndsWith("QLinearConv", StringComparison.Ordinal)));
        Assert.InRange(result.Report.Tensors.Single(tensor => tensor.Name == "clip/out").Scale, 5f / 255, 6f / 255);
    }

    [RuntimeFact]
    public void Quantize_ReluThenClip_IsOneRangeOfTheConvolution()
    {
        Graph graph = SmallGraphs.Create(out Value x, "N", 4, 8, 8);
        Value w = graph.AddConstant("w", SmallGraphs.Random([8, 4, 1, 1], 3, 20));
        Value clip = x.Named("Conv", "conv", null, w).Named("Relu", "relu").Named("Clip", "clip", null, graph.AddConstant("low", Tensor.Scalar(-1f)), graph.AddConstant("high", Tensor.Scalar(6f)));
        clip.Conv("last", 4, 1, seed: 9).Named("GlobalAveragePool", "pool").Returns();
        QuantizationResult result = SmallGraphs.Quantize(graph);
        Assert.Equal("joined with Clip 'clip' behind it", result.Node("relu").Applied);
        Assert.Equal((NodeOutcome.Merged, "range of Conv 'conv'"), (result.Node("clip").Outcome, result.Node("clip").Applied));
        TensorReport tensor = result.Report.Tensors.Single(tensor => tensor.Name == "clip/out");
        Assert.Equal(0, tensor.ZeroPoint);
        Assert.InRange(tensor.Scale, 5f / 255, 6f / 255);
        Assert.DoesNotContain(SmallGraphs.RuntimeNodes(result.Model, out _), node => node is "Clip" or "Relu");
    }

    [RuntimeTheory]
    [InlineData("Gemm", true)]
    [InlineData("Gemm", false)]
    [InlineData("MatMul", false)]
    public void Quantize_MatrixProducts_RunInIntegersWithoutAFinalQuantizer(string opType, bool transposed)
    {
        Graph graph = SmallGraphs.Create(out Value x, "N", 32);
        Value Layer(Value input, string name, int inputs, int outputs, int seed)
        {
            Value weight = graph.AddConstant(name + ".weight", SmallGraphs.Random(transposed ? [outputs, inputs] : [inputs, outputs], seed));
            return opType == "MatMul" ? input.Named("MatMul", name, null, weight)
                : input.Named("Gemm", name, new() { { "transB", transposed ? 1 : 0 }, { "alpha", 0.5f }, { "beta", 2f } }, weight, graph.AddConstant(name + ".bias", SmallGraphs.Random([1, outputs], seed + 1)));
        }

        Layer(Layer(x, "first", 32, 16, 1).Named("Relu", "relu"), "last", 16, 10, 5).Returns();
        QuantizationResult result = SmallGraphs.Quantize(graph);
        Assert.Equal("int8 weights, uint8 input, float output", result.Node("last").Applied);
        IReadOnlyList<string> nodes = SmallGraphs.RuntimeNodes(result.Model, out float difference);
        Assert.DoesNotContain(nodes, node => node is "Gemm" or "MatMul" or "DequantizeLinear");
        Assert.InRange(difference, 0, 0.05f);
        float[] expected = SmallGraphs.Run(graph), actual = SmallGraphs.Run(result.Model);
        Assert.All(expected.Zip(actual), pair => Assert.Equal(pair.First, pair.Second, 0.05f * expected.Max(MathF.Abs)));
    }

    [RuntimeFact]
    public void Quantize_MatMulOfActivations_QuantizesBothOperands()
    {
        Graph graph = SmallGraphs.Create(out Value x, "N", 8, 16);
        Value q = x.Named("MatMul", "q", null, graph.AddConstant("wq", SmallGraphs.Random([16, 16], 1))), k = x.Named("MatMul", "k", null, graph.AddConstant("wk", SmallGraphs.Random([16, 16], 2)));
        Value scores = q.Named("MatMul", "scores", null, k.Named("Transpose", "transpose", new() { { "perm", new long[] { 0, 2, 1 } } })).Named("Softmax", "softmax", new() { { "axis", -1 } });
        scores.Named("MatMul", "mix", null, k).Named("MatMul", "last", null, graph.AddConstant("wo", SmallGraphs.Random([16, 4], 3))).Returns();
        QuantizationResult result = SmallGraphs.Quantize(graph);
        Assert.All(["q", "k", "transpose", "scores", "softmax", "mix", "last"], name => Assert.Equal(NodeOutcome.Integer, result.Node(name).Outcome));
        IReadOnlyList<string> nodes = SmallGraphs.RuntimeNodes(result.Model, out _);
        Assert.DoesNotContain(nodes, node => node is "MatMul" or "Softmax");
    }

    [Fact]
    public void Quantize_TailsAndIslands_StayFloatWithTheReason()
    {
        Graph graph = SmallGraphs.Create(out Value x, "N", 4, 8, 8);
        Value a = x.Conv("first", 8).Named("Tanh", "tanh");
        Value b = a.Named("Add", "island", null, a.Named("Tanh", "tanh2")).Conv("second", 8, seed: 5);
        b.Named("Mul", "tail", null, graph.AddConstant("c", Tensor.Scalar(2f))).Named("Exp", "exp").Returns();
        QuantizationResult result = SmallGraphs.Quantize(graph);
        Assert.Equal("ONNX Runtime has no integer Tanh on the CPU", result.Node("tanh").Reason);
        Assert.Equal("no integer layer computes its input", result.Node("island").Reason);
        Assert.Equal("no integer layer reads its result", result.Node("tail").Reason);
        Assert.All(["first", "second"], name => Assert.Equal(NodeOutcome.Integer, result.Node(name).Outcome));
    }

    [Fact]
    public void Quantize_FinalConv_StaysFloatUnlessOutputsAreQuantized()
    {
        Graph graph = SmallGraphs.Create(out Value x, "N", 4, 8, 8);
        x.Conv("first", 8).Conv("last", 4, seed: 3).Returns();
        Assert.Contains("stays float", SmallGraphs.Quantize(graph).Node("last").Reason, StringComparison.Ordinal);
        QuantizationResult quantized = SmallGraphs.Quantize(graph, new() { QuantizeOutputs = true });
        Assert.Equal(NodeOutcome.Integer, quantized.Node("last").Outcome);
        Assert.Equal("last/out", Assert.Single(quantized.Model.Outputs).Name);
        Assert.True(Assert.Single(quantized.Model.Outputs).Producer!.Is("DequantizeLinear"));
    }

    [Fact]
    public void Quantize_OutputThatIsReadToo_StaysFloat()
    {
        Graph graph = SmallGraphs.Create(out Value x, "N", 16);
        Value features = x.Named("MatMul", "features", null, graph.AddConstant("a", SmallGraphs.Random([16, 8], 1))).Returns();
        features.Named("MatMul", "head", null, graph.AddConstant("b", SmallGraphs.Random([8, 4], 2))).Returns();
        QuantizationResult result = SmallGraphs.Quantize(graph);
        Assert.Equal((NodeOutcome.Float, NodeOutcome.Integer), (result.Node("features").Outcome, result.Node("head").Outcome));
        Assert.True(result.Model.Outputs[0].Producer!.Is("MatMul"));
    }

    [Fact]
    public void Quantize_ExcludedNode_StaysFloatAndUnknownNameIsSuggested()
    {
        QuantizationResult result = SmallGraphs.Quantize(ResidualBlock(), new() { Exclude = ["conv1"] });
        Assert.Equal(("float", NodeOutcome.Float, "excluded"), (result.Node("conv1").Requested, result.Node("conv1").Outcome, result.Node("conv1").Reason));
        Assert.Contains("did you mean 'conv1'?", Assert.Throws<ArgumentException>(() => SmallGraphs.Quantize(ResidualBlock(), new() { Exclude = ["comv1"] })).Message, StringComparison.Ordinal);
    }

    [RuntimeFact]
    public void Quantize_ValueWithSeveralReaders_HasOneQuantizer()
    {
        Graph graph = SmallGraphs.Create(out Value x, "N", 4, 8, 8);
        Value a = x.Conv("first", 8).Named("Relu", "relu");
        Value sum = a.Conv("left", 8, seed: 3).Named("Add", "add", null, a.Conv("right", 8, seed: 4));
        sum.Conv("last", 4, seed: 5).Named("GlobalAveragePool", "pool").Named("Add", "float", null, a.Named("ReduceMax", "max", new() { { "axes", new long[] { 1, 2, 3 } } })).Returns();
        QuantizationResult result = SmallGraphs.Quantize(graph);
        Assert.Single(result.Model.Nodes, node => node.Is("QuantizeLinear") && node.Inputs[0]!.Name == "first/out");
        Assert.Equal(4, SmallGraphs.RuntimeNodes(result.Model, out _).Count(node => node.EndsWith("QLinearConv", StringComparison.Ordinal)));
    }
}
