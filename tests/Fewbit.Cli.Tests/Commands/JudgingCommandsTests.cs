using System.Text.Json;

namespace Fewbit.Cli.Tests.Commands;

/// <summary>evaluate, compare and benchmark on one quantized model.</summary>
public sealed class JudgingCommandsTests : IClassFixture<JudgingCommandsTests.QuantizedDemo>
{
    private readonly QuantizedDemo _demo;

    public JudgingCommandsTests(QuantizedDemo demo) => _demo = demo;

    [Fact]
    public void Evaluate_ModelBesideItsFloatModel_ComparesBoth()
    {
        using JsonDocument json = JsonDocument.Parse(RunResult.Of("evaluate", _demo.Quantized, "-d", _demo.Files.Unseen, "--labels", _demo.Files.Classes, "--json").Output);
        JsonElement root = json.RootElement;
        Assert.Equal(_demo.Files.Model, root.GetProperty("float").GetString());
        Assert.Equal("as the model's metadata states", root.GetProperty("preprocessing").GetProperty("reason").GetString());
        Assert.InRange(root.GetProperty("top1").GetDouble(), root.GetProperty("top1Low").GetDouble(), root.GetProperty("top1High").GetDouble());
        Assert.InRange(root.GetProperty("againstFloat").GetProperty("agreement").GetDouble(), 0.95, 1);
    }

    [Fact]
    public void Compare_WithFile_WritesAReportThatQuantizeExcludesFrom()
    {
        RunResult run = RunResult.Of("compare", _demo.Files.Model, _demo.Quantized, "-d", _demo.Files.Unseen, "--labels", _demo.Files.Classes, "--samples", "24", "-o", _demo.Files["compare.json"]);
        Assert.Equal(0, run.Code);
        using JsonDocument json = JsonDocument.Parse(File.ReadAllText(_demo.Files["compare.json"]));
        string worst = json.RootElement.GetProperty("exclude")[0].GetString()!;
        Assert.Contains($"--exclude \"{worst}", run.Output, StringComparison.Ordinal);
        RunResult again = RunResult.Of("quantize", _demo.Files.Model, "-c", _demo.Files.Calibration, "--labels", _demo.Files.Classes, "-p", "tf", "--exclude-from", _demo.Files["compare.json"], "-o", _demo.Files["f.onnx"]);
        Assert.Contains($"{worst}", again.Output, StringComparison.Ordinal);
        Assert.Contains(": excluded\n", again.Output, StringComparison.Ordinal);
    }

    [Fact]
    public void Benchmark_QuantizedModel_TimesItAndCountsWhatFused()
    {
        using JsonDocument json = JsonDocument.Parse(RunResult.Of("benchmark", _demo.Quantized, "--json", "--threads", "1").Output);
        JsonElement root = json.RootElement, own = root.GetProperty("fusion")[0];
        Assert.True(root.GetProperty("speed")[0].GetProperty("speedup").GetDouble() > 0);
        Assert.True(own.GetProperty("fused").GetProperty("QLinearConv").GetInt32() > 0);
        Assert.Empty(own.GetProperty("left").EnumerateArray());
    }

    public sealed class QuantizedDemo : IDisposable
    {
        public QuantizedDemo()
        {
            RunResult run = RunResult.Of("quantize", Files.Model, "-c", Files.Calibration, "--labels", Files.Classes, "-p", "tf", "--samples", "96");
            Assert.True(run.Code == 0, run.Messages);
        }

        public DemoFolder Files { get; } = new();

        /// <summary>Written under its default name.</summary>
        public string Quantized => Files["demo.int8.onnx"];

        public void Dispose() => Files.Dispose();
    }
}
