using System.Text.Json;
using Fewbit.Graphs;
using Fewbit.Models;
using Fewbit.Onnx;
using Fewbit.Tensors;

namespace Fewbit.Cli.Tests.Commands;

public sealed class ModeTests(DemoFolder demo) : IClassFixture<DemoFolder>
{
    private string Transformer()
    {
        string path = demo["transformer.onnx"];
        if (!File.Exists(path)) OnnxFile.Save(ReferenceModels.Find("transformer-char").Create(), path);
        return path;
    }

    private void AssertUsage(string message, params string[] arguments)
    {
        RunResult run = RunResult.Of(["quantize", demo.Model, .. arguments]);
        Assert.Equal(message, run.ErrorLine());
        Assert.Equal(2, run.Code);
    }

    [Theory]
    [InlineData("weight-only", "DequantizeLinear")]
    [InlineData("dynamic", "MatMulInteger")]
    [InlineData("float16", "Cast")]
    public void Run_WithoutData_WritesTheModelAndReportsIt(string mode, string opType)
    {
        string target = demo[$"{mode}.onnx"];
        RunResult run = RunResult.Of("quantize", Transformer(), "--mode", mode, "-o", target, "--json");
        Assert.True(run.Code == 0, run.Messages);
        using JsonDocument json = JsonDocument.Parse(run.Output);
        JsonElement root = json.RootElement;
        Assert.Equal(mode, root.GetProperty("mode").GetString());
        Assert.Equal(new FileInfo(target).Length, root.GetProperty("bytes").GetProperty("written").GetInt64());
        Assert.InRange(root.GetProperty("check").GetProperty("signalToNoise").GetDouble(), 5, 80);
        Assert.True(root.GetProperty("speed")[0].GetProperty("seconds").GetDouble() > 0);
        Assert.Equal(mode == "float16" ? 1 : 17, OnnxFile.Load(target).Nodes.Count(node => node.Is(opType)));
    }

    [Fact]
    public void Run_WeightOnlyText_SaysWhatWasApplied()
    {
        RunResult run = RunResult.Of("quantize", Transformer(), "--mode", "weight-only", "--form", "matmulnbits", "--weights", "uint4", "--block-size", "64", "--accuracy-level", "4", "--exclude", "head", "-o", demo["w.onnx"]);
        Assert.Contains("applied  uint4 weights in blocks of 64, MatMulNBits at accuracy level 4: 16 nodes", run.Output, StringComparison.Ordinal);
        Assert.Contains("float: 1 Gemm (head): excluded", run.Output, StringComparison.Ordinal);
        Assert.Contains("x smaller", run.Output, StringComparison.Ordinal);
    }

    [Fact]
    public void Run_DataWithoutCalibration_JudgesTheResult()
    {
        RunResult run = RunResult.Of("quantize", demo.Model, "--mode", "dynamic", "-d", demo.Unseen, "--labels", demo.Classes, "-o", demo["judged.onnx"]);
        Assert.Equal(0, run.Code);
        Assert.Contains("not distinguishable on 240 samples", run.Output, StringComparison.Ordinal);
    }

    [Fact]
    public void Run_QuantizedModel_IsRefusedUntilItIsFloatAgain()
    {
        string quantized = demo["twice.onnx"], again = demo["again.onnx"];
        RunResult.Of("quantize", Transformer(), "--mode", "weight-only", "-o", quantized);
        string refusal = RunResult.Of("quantize", quantized, "--mode", "dynamic", "-o", again).ErrorLine();
        Assert.Contains("the model is quantized already (DequantizeLinear", refusal, StringComparison.Ordinal);
        Assert.Contains("fewbit quantize --mode float", refusal, StringComparison.Ordinal);
        RunResult run = RunResult.Of("quantize", quantized, "--mode", "float", "-o", again);
        Assert.True(run.Code == 0, run.Messages);
        Assert.Equal(0, RunResult.Of("quantize", again, "--mode", "dynamic", "-o", demo["anew.onnx"]).Code);
        Assert.EndsWith("the model is not quantized: there is nothing to make float", RunResult.Of("quantize", again, "--mode", "float", "-o", demo["no.onnx"]).ErrorLine(), StringComparison.Ordinal);
    }

    [Fact]
    public void Run_OpenSizes_AsksForInputShape()
    {
        var graph = new Graph();
        Value x = graph.AddInput("x", ElementType.Float32, ["N", "T", 32]);
        graph.AddOutput(graph.AddNode("MatMul", [x, graph.AddConstant("w", Tensor.Allocate(ElementType.Float32, [32, 32]))], name: "product").Outputs[0]);
        OnnxFile.Save(graph, demo["open.onnx"]);
        RunResult open = RunResult.Of("quantize", demo["open.onnx"], "--mode", "weight-only", "-o", demo["o1.onnx"]);
        Assert.Contains("input 'x' float32 [1, T, 32] has open lengths: --input-shape x=... states them", open.Output, StringComparison.Ordinal);
        RunResult stated = RunResult.Of("quantize", demo["open.onnx"], "--mode", "weight-only", "--input-shape", "x=1,7,32", "-o", demo["o2.onnx"]);
        Assert.Contains("time, Fewbit", stated.Output, StringComparison.Ordinal);
        // The batch stays open, the length that was stated does not.
        Assert.Equal("[N, 7, 32]", OnnxFile.Load(demo["o2.onnx"]).Inputs[0].Shape!.ToString());
        RunResult wrong = RunResult.Of("quantize", demo["open.onnx"], "--mode", "weight-only", "--input-shape", "y=1,7,32", "-o", demo["o3.onnx"]);
        Assert.Contains("--input-shape names 'y', but the model has no such input", wrong.ErrorLine(), StringComparison.Ordinal);
        RunResult shape = RunResult.Of("quantize", demo["open.onnx"], "--mode", "weight-only", "--input-shape", "1,7,33", "-o", demo["o3.onnx"]);
        Assert.Contains("--input-shape 1,7,33 does not fit input 'x' float32 [N, T, 32]", shape.ErrorLine(), StringComparison.Ordinal);
    }

    [Fact]
    public void Run_OptionsOfAnotherMode_AreWrongUsage()
    {
        AssertUsage("--block-size is for --mode weight-only, and the mode is static; leave it out", "--block-size", "32");
        AssertUsage("--calibration is for --mode static, and the mode is dynamic; leave it out", "--mode", "dynamic", "-c", demo.Calibration);
        AssertUsage("--accuracy-level is for --form matmulnbits: a DequantizeLinear cannot state one; leave it out", "--mode", "weight-only", "--accuracy-level", "0");
        AssertUsage("the block size is 48, expected 16, 32, 64, 128 or 256", "--mode", "weight-only", "--block-size", "48");
        AssertUsage("--keep-in-float is for --mode float16, and the mode is static; --exclude names nodes that stay float there", "--keep-in-float", "Softmax");
        Assert.StartsWith("there is no mode 'weights-only'; did you mean 'weight-only'?", RunResult.Of("quantize", demo.Model, "--mode", "weights-only").ErrorLine(), StringComparison.Ordinal);
    }
}
