using System.Text.Json;
using Fewbit.Onnx;
using Fewbit.Targets;

namespace Fewbit.Cli.Tests.Commands;

public sealed class TargetCommandTests(DemoFolder demo) : IClassFixture<DemoFolder>
{
    private RunResult Quantize(string output, params string[] options) =>
        RunResult.Of(["quantize", demo.Model, "-c", demo.Calibration, "-d", demo.Unseen, "--labels", demo.Classes, "-p", "tf", "--samples", "48", "-o", output, .. options]);

    [Theory]
    [InlineData("ort-x64")]
    [InlineData("ort-x64-no-vnni")]
    [InlineData("ort-arm")]
    [InlineData("tensorrt")]
    public void Run_EachTarget_ObeysItsRules(string target)
    {
        RunResult run = Quantize(demo[$"{target}.onnx"], "--target", target);
        Assert.True(run.Code == 0, run.Messages);
        Assert.Matches($@"\ntarget +{target} \(.*\): (run here in ONNX Runtime 1\.\d+\.\d+|not run here), checked against \d+ rules", run.Output);
        Assert.Empty(TargetCheck.Of(OnnxFile.Load(demo[$"{target}.onnx"]), ExportTarget.Parse(target)).Violations);
    }

    [Fact]
    public void Run_WithoutVnni_NamesNoSaturation()
    {
        RunResult plain = Quantize(demo["plain.onnx"], "--json"), narrow = Quantize(demo["narrow.onnx"], "--target", "ort-x64-no-vnni", "--json");
        using JsonDocument first = JsonDocument.Parse(plain.Output), second = JsonDocument.Parse(narrow.Output);
        Assert.True(Risks(first) > 0);
        Assert.Equal(0, Risks(second));

        static int Risks(JsonDocument json) => json.RootElement.GetProperty("target").GetProperty("saturationRisks").GetArrayLength();
    }

    [Fact]
    public void Run_OldRuntime_StaysInItsOpset()
    {
        RunResult run = Quantize(demo["old.onnx"], "--runtime", "ort-1.17");
        Assert.True(run.Code == 0, run.Messages);
        Assert.True(OnnxFile.Load(demo["old.onnx"]).OpsetVersion("") <= 20);
        Assert.Matches(@"\ntarget +ort-1\.17: .*checked against the opsets and types that it loads", run.Output);
    }

    [Theory]
    [InlineData("there is no target 'tensorr'; did you mean 'tensorrt'?; there are ort-x64, ort-x64-no-vnni, ort-arm, tensorrt", "--target", "tensorr")]
    [InlineData("there is no runtime 'ort-1.2', expected ort-1.17 to ort-1.30", "--runtime", "ort-1.2")]
    [InlineData("--runtime ort-1.20 is a release of ONNX Runtime, and --target tensorrt is none of its targets; leave it out", "--target", "tensorrt", "--runtime", "ort-1.20")]
    public void Run_WrongTarget_IsWrongUsage(string message, params string[] options)
    {
        RunResult run = Quantize(demo["never.onnx"], options);
        Assert.Equal((2, message), (run.Code, run.ErrorLine()));
        Assert.False(File.Exists(demo["never.onnx"]));
    }
}
