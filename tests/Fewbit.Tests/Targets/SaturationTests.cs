using Fewbit.Graphs;
using Fewbit.Targets;
using Fewbit.Tensors;

namespace Fewbit.Tests.Targets;

public sealed class SaturationTests
{
    /// <summary>A MatMul of [1, K] codes by a [K, 1] weight of int8 codes.</summary>
    private static Graph Product(ReadOnlySpan<sbyte> weights, ElementType input = ElementType.UInt8, int? clip = null)
    {
        var graph = new Graph("product", 13);
        Value scale = graph.AddConstant("s", Tensor.Scalar(0.1f)), zero = graph.AddConstant("z", Tensor.Allocate(input, []));
        Value codes = graph.AddNode("QuantizeLinear", [graph.AddInput("x", ElementType.Float32, new SymbolicShape([1, weights.Length])), scale, zero], null, name: "q").Outputs[0];
        if (clip is { } highest) codes = graph.AddNode("Clip", [codes, zero, graph.AddConstant("high", Tensor.Scalar((byte)highest))], null, name: "clip").Outputs[0];
        Value real = graph.AddNode("DequantizeLinear", [codes, scale, zero], null, name: "dq").Outputs[0];
        Value weight = graph.AddNode("DequantizeLinear", [graph.AddConstant("w", Tensor.From(weights, [weights.Length, 1])), scale, graph.AddConstant("wz", Tensor.Scalar((sbyte)0))], null, name: "w_dq").Outputs[0];
        graph.AddOutput(graph.AddNode("MatMul", [real, weight], null, name: "product").Outputs[0]);
        return graph;
    }

    [Theory]
    [InlineData(new sbyte[] { 127, 127 }, 255 * 254)]
    [InlineData(new sbyte[] { 127, -127, 0, 2 }, 255 * 129)]
    [InlineData(new sbyte[] { -120, 3, -9 }, 255 * 129)] // the pair of one sign, wherever it stands
    public void Find_PairBeyond16Bits_IsFound(sbyte[] weights, int sum) => Assert.Equal(new SaturationRisk("product", "MatMul", sum), Assert.Single(Saturation.Find(Product(weights))));

    [Theory]
    [InlineData(new sbyte[] { 127, 1 })] // 255 * 128 = 32,640
    [InlineData(new sbyte[] { 64, 64, 64, -64, -64 })]
    [InlineData(new sbyte[] { 127, -127 })]
    [InlineData(new sbyte[] { 0 })]
    public void Find_PairWithin16Bits_IsNotFound(sbyte[] weights) => Assert.Empty(Saturation.Find(Product(weights)));

    [Fact]
    public void Find_Int8Codes_CountAsTheUInt8ThatTheRuntimeMakesOfThem() => Assert.Equal(255 * 254, Assert.Single(Saturation.Find(Product([127, 127], ElementType.Int8))).MaxPairSum);

    [Theory]
    [InlineData(15, false)] // 15 * 254
    [InlineData(129, false)] // 129 * 254 = 32,766
    [InlineData(130, true)]
    public void Find_FewerBitsOfInput_CountOnlyTheirCodes(int highest, bool isFound) => Assert.Equal(isFound, Saturation.Find(Product([127, 127], clip: highest)).Count == 1);

    /// <summary>The instruction's arithmetic on random codes: no pair saturates unless the layer was found.</summary>
    [Fact]
    public void Find_RandomWeights_MissesNoSaturatingPair()
    {
        var random = new Random(5);
        int saturated = 0;
        for (int round = 0; round < 300; round++)
        {
            sbyte[] weights = [.. Enumerable.Range(0, 8).Select(_ => (sbyte)random.Next(-80, 81))];
            byte[] inputs = [.. Enumerable.Range(0, 8).Select(_ => (byte)random.Next(200, 256))];
            bool saturates = Enumerable.Range(0, 4).Any(pair => Math.Abs(weights[2 * pair] * inputs[2 * pair] + weights[2 * pair + 1] * inputs[2 * pair + 1]) > short.MaxValue);
            if (!saturates) continue;
            saturated++;
            Assert.Single(Saturation.Find(Product(weights)));
        }
        Assert.InRange(saturated, 10, 300);
    }
}
