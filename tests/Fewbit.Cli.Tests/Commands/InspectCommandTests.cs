using System.Text.Json;

namespace Fewbit.Cli.Tests.Commands;

public class InspectCommandTests
{
    [Fact]
    public void Run_Model_ShowsWhatItTakesAndHolds()
    {
        using var work = new Workspace();
        string model = work.DemoModel();
        RunResult run = RunResult.Of("inspect", model);
        Assert.Equal("", run.Messages);
        Assert.Equal(0, run.Code);
        Assert.Equal("""
            model          demo.onnx, 177 kB
            format         opset 20, IR 9, by Fewbit 0.1.0
            input          'input' float32 [N, 3, 32, 32]
            pictures       NCHW, 3 channels, 32 x 32
            preprocessing  not stated by the model; --preprocess imagenet|tf|0-1|0-255|cifar10|caffe or a JSON file fit
            output         'logits' float32 [N, 12]
            parameters     42,432 (170 kB)
            multiply-adds  1.98 M for input [1, 3, 32, 32]
            operators      9 BatchNormalization, 9 Conv, 9 Relu, 3 Add, 1 Flatten, 1 Gemm, 1 GlobalAveragePool
            int8           15 on codes, 18 merged into others or computed ahead
            """.ReplaceLineEndings("\n") + "\n", run.Output.Replace(model, "demo.onnx", StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("1,3")]
    [InlineData("1,3,x,32")]
    [InlineData("1,0,32,32")]
    public void Run_ShapeNotNumbersAboveZero_IsWrongUsage(string shape)
    {
        using var work = new Workspace();
        RunResult run = RunResult.Of("inspect", work.DemoModel(), "--shape", shape);
        Assert.Contains(shape == "1,3" ? "--shape [1, 3] does not fit input 'input' float32" : $"--shape is '{shape}', expected whole numbers", run.ErrorLine(), StringComparison.Ordinal);
        Assert.Equal(shape == "1,3" ? 1 : 2, run.Code);
    }

    [Fact]
    public void Run_Json_HoldsTheSame()
    {
        using var work = new Workspace();
        using JsonDocument json = JsonDocument.Parse(RunResult.Of("inspect", work.DemoModel(), "--json", "--layers").Output);
        JsonElement root = json.RootElement;
        Assert.Equal("NCHW", root.GetProperty("picture").GetProperty("layout").GetString());
        Assert.Equal(root.GetProperty("operators").GetProperty("Conv").GetInt32(), root.GetProperty("layers").EnumerateArray().Count(layer => layer.GetProperty("opType").GetString() == "Conv"));
    }
}
