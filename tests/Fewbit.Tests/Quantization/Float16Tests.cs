using Fewbit.Graphs;
using Fewbit.OnnxRuntime;
using Fewbit.Quantization;
using Fewbit.Tensors;
using Fewbit.Testing;

namespace Fewbit.Tests.Quantization;

public sealed class Float16Tests
{
    [RuntimeFact("text/stories260K/stories260K.onnx")]
    public void Float16_Models_RunInTheRuntimeAsHere()
    {
        foreach (Graph original in new[] { ModeGraphs.Perceptron(), ModeGraphs.Stories(), ModeGraphs.Transformer() })
        {
            QuantizationResult result = Quantizer.For(original).Float16();
            // Both engines round to 11 bits behind each node, or not, as they like.
            Assert.InRange(ModeGraphs.AgainstRuntime(result.Model, GraphOptimizationLevel.Off), 0, 1e-2);
            Assert.InRange(ModeGraphs.AgainstRuntime(result.Model, GraphOptimizationLevel.All), 0, 1e-2);
            Assert.InRange(ModeGraphs.SignalToNoise(original, result.Model), 45, 90);
            // Tables computed ahead are stored; a weight that was stored twice is not.
            Assert.InRange((double)result.Report.Size.ParameterBytes / result.Report.Size.FloatParameterBytes, 0.25, 0.76);
            Assert.Equal(original.Outputs.Select(output => (output.Name, output.Type)), result.Model.Outputs.Select(output => (output.Name, output.Type)));
        }
    }

    [Fact]
    public void Float16_KeptNodes_GetCastsAtTheirBorders()
    {
        Graph graph = ModeGraphs.Perceptron();
        QuantizationResult all = Quantizer.For(graph).Float16(), kept = Quantizer.For(graph).Float16(new() { KeepInFloat = ["Relu"] });
        Assert.Equal(2, all.Model.Nodes.Count(node => node.Is("Cast")));
        Assert.Equal(4, kept.Model.Nodes.Count(node => node.Is("Cast")));
        Assert.Equal("kept in float32", kept.Node("relu").Reason);
        Assert.Throws<ArgumentException>(() => Quantizer.For(graph).Float16(new() { KeepInFloat = ["Relux"] }));
    }

    [Fact]
    public void Float16_InputsAndOutputsToo_LeaveNoCast()
    {
        Graph graph = ModeGraphs.Perceptron(), model = Quantizer.For(graph).Float16(new() { KeepInputsAndOutputs = false }).Model;
        Assert.DoesNotContain(model.Nodes, node => node.Is("Cast"));
        Assert.Equal([("input", ElementType.Float16), ("scores", ElementType.Float16)], model.Inputs.Concat(model.Outputs).Select(value => (value.Name, value.Type)));
    }

    [Fact]
    public void Float16_NumbersBeyondItsRange_StayFloatByName()
    {
        Graph graph = SmallGraphs.Create(out Value x, "N", 4);
        Value masked = x.Named("Add", "mask", null, graph.AddConstant("large", Tensor.From<float>(0, -1e9f, 0, 0)));
        Value guarded = masked.Named("Relu", "relu").Named("Add", "guard", null, graph.AddConstant("tiny", Tensor.Scalar(1e-12f)));
        guarded.Named("Sqrt", "root").Returns();
        QuantizationResult result = Quantizer.For(graph).Float16(new() { LargestValues = new Dictionary<string, float> { ["root/out"] = 70000 } });
        Assert.Equal("'large' holds -1E+09, float16 ends at 65504", result.Node("mask").Reason);
        Assert.Equal("'tiny' is 1E-12, which is 0 in float16", result.Node("guard").Reason);
        Assert.Equal("'root/out' reaches 7E+04, float16 ends at 65504", result.Node("root").Reason);
        Assert.Equal("float16", result.Node("relu").Applied);
    }

    [Fact]
    public void Float16_NothingToConvert_SaysWhy()
    {
        Graph graph = SmallGraphs.Create(out Value x, "N", 4);
        x.Named("Relu", "relu").Returns();
        Assert.Equal("no node can compute in float16: Relu 'relu': kept in float32", Assert.Throws<InvalidDataException>(() => Quantizer.For(graph).Float16(new() { KeepInFloat = ["relu"] })).Message);
    }
}
