using System.Text.RegularExpressions;
using Fewbit.Cli.Reports;

namespace Fewbit.Cli.Tests.Commands;

/// <summary>--report of quantize, evaluate and compare.</summary>
public sealed class ReportTests(DemoFolder demo) : IClassFixture<DemoFolder>
{
    [Fact]
    public void Quantize_WithReport_ShowsTheFiguresOfTheText()
    {
        RunResult run = RunResult.Of("quantize", demo.Model, "-c", demo.Calibration, "-d", demo.Unseen, "--labels", demo.Classes, "-p", "tf", "--samples", "96", "-o", demo["page.onnx"], "--report", demo["page.html"]);
        Assert.True(run.Code == 0, run.Messages);
        string page = File.ReadAllText(demo["page.html"]);
        Assert.Contains("<bdi>demo.onnx → page.onnx</bdi>", page, StringComparison.Ordinal);
        string points = Regex.Match(run.Output, @"top-1 .*?(-?\d+\.\d\d points) \(95 %: (\S+ to \S+)\)").Groups[1].Value, interval = Regex.Match(run.Output, @"top-1 .*\(95 %: (\S+ to [^)]+)\)").Groups[1].Value;
        Assert.Contains(points, page, StringComparison.Ordinal);
        Assert.Contains($"95 %: {interval}", page, StringComparison.Ordinal);
        Assert.Contains($"--report {demo["page.html"]}</code>", page, StringComparison.Ordinal);
        Assert.Matches(@"95 %: \d+\.\d\dx to \d+\.\d\dx", page);
        Assert.Contains("<h2 id=\"depth\">Error by depth</h2>", page, StringComparison.Ordinal);
        Assert.Contains("drawn with the seed", page, StringComparison.Ordinal);
    }

    [Fact]
    public void Quantize_Float16WithoutData_ComparesLayersOnASeededInput()
    {
        RunResult run = RunResult.Of("quantize", demo.Model, "--mode", "float16", "-o", demo["half.onnx"], "--report", demo["half.html"]);
        Assert.True(run.Code == 0, run.Messages);
        string page = File.ReadAllText(demo["half.html"]);
        Assert.Contains("all error before it included, on one seeded input, not on data", page, StringComparison.Ordinal);
        Assert.True(Regex.Count(page, "class=\"dot") > 10);
    }

    [Fact]
    public void Quantize_WithPromise_ShowsItAndWhatWasTried()
    {
        RunResult run = RunResult.Of("quantize", demo.Model, "-c", demo.Calibration, "--labels", demo.Classes, "-p", "tf", "--max-drop", "1%", "--time-budget", "1s", "-o", demo["promise.onnx"], "--report", demo["promise.html"]);
        Assert.Equal(1, run.Code);
        string page = File.ReadAllText(demo["promise.html"]);
        Assert.Contains("Too few samples to promise 1 point", page, StringComparison.Ordinal);
        Assert.Contains("What was tried", page, StringComparison.Ordinal);
        Assert.Contains("int8 per channel</bdi>", page, StringComparison.Ordinal);
    }

    [Fact]
    public void EvaluateAndCompare_WithReport_WriteTheirPages()
    {
        RunResult.Of("quantize", demo.Model, "-c", demo.Calibration, "--labels", demo.Classes, "-p", "tf", "--samples", "96", "-o", demo["two.onnx"], "--weights", "int2");
        Assert.Equal(0, RunResult.Of("evaluate", demo["two.onnx"], "--float", demo.Model, "-d", demo.Unseen, "--labels", demo.Classes, "--report", demo["evaluate.html"]).Code);
        Assert.Contains("verdict severe", File.ReadAllText(demo["evaluate.html"]), StringComparison.Ordinal);
        Assert.Equal(0, RunResult.Of("compare", demo.Model, demo["two.onnx"], "-d", demo.Unseen, "--samples", "24", "--labels", demo.Classes, "--report", demo["compare.html"]).Code);
        string page = File.ReadAllText(demo["compare.html"]);
        Assert.Contains("if this node alone is quantized", page, StringComparison.Ordinal);
        Assert.Contains("--exclude", page, StringComparison.Ordinal);
        Assert.Contains("is there already; give --overwrite, or another file with --report", RunResult.Of("evaluate", demo["two.onnx"], "-d", demo.Unseen, "--report", demo["evaluate.html"]).ErrorLine(), StringComparison.Ordinal);
    }

    [Fact]
    public void Quantize_ReportThatCannotBeWritten_SaysSoBeforeAnyWork()
    {
        RunResult missing = RunResult.Of("quantize", demo.Model, "-c", demo.Calibration, "-o", demo["never.onnx"], "--report", demo["no-such-folder/page.html"]);
        Assert.Contains($"there is no folder {demo["no-such-folder"]}", missing.ErrorLine(), StringComparison.Ordinal);
        Assert.False(File.Exists(demo["never.onnx"]));
        RunResult same = RunResult.Of("quantize", demo.Model, "-c", demo.Calibration, "-o", demo["never.onnx"], "--report", demo["never.onnx"]);
        Assert.Equal($"--report is '{demo["never.onnx"]}', which is the model {demo["never.onnx"]}; name another file", same.ErrorLine());
        Assert.Equal(2, same.Code);
    }

    [Theory]
    [InlineData("model.onnx", "model.onnx")]
    [InlineData("my model.onnx", "'my model.onnx'")]
    [InlineData("it's", "'it'\\''s'")]
    [InlineData("", "''")]
    [InlineData("$(rm x)", "'$(rm x)'")]
    public void Quoted_AnyWord_IsOneWordOfAShell(string word, string expected) => Assert.Equal(expected, ReportArguments.Quoted(word));
}
