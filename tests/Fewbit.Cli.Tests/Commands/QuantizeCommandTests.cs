using System.Text.Json;
using System.Text.RegularExpressions;
using Fewbit.Cli.Inspection;
using Fewbit.Data;
using Fewbit.Onnx;

namespace Fewbit.Cli.Tests.Commands;

public sealed class QuantizeCommandTests(DemoFolder demo) : IClassFixture<DemoFolder>
{
    [Fact]
    public void Run_LabelledPictures_ChoosesThePresetAndReportsAccuracySizeAndTime()
    {
        using JsonDocument json = Json("quantize", demo.Model, "-c", demo.Calibration, "-d", demo.Unseen, "--labels", demo.Classes, "-o", demo["a.onnx"], "--json");
        JsonElement root = json.RootElement, judgement = root.GetProperty("judgement");
        Assert.Equal("tf", root.GetProperty("preprocessing").GetProperty("settings").GetProperty("name").GetString());
        Assert.InRange(judgement.GetProperty("difference").GetDouble(), -0.02, 0.02);
        Assert.InRange(judgement.GetProperty("differenceLow").GetDouble(), -0.1, judgement.GetProperty("difference").GetDouble());
        Assert.Equal(new FileInfo(demo["a.onnx"]).Length, root.GetProperty("bytes").GetProperty("written").GetInt64());
        Assert.True(root.GetProperty("speed")[0].GetProperty("seconds").GetDouble() > 0);
        Assert.Equal(Preprocessing.Tf, PreprocessingMetadata.Read(OnnxFile.Load(demo["a.onnx"])));
    }

    [Fact]
    public void Run_Text_ReadsAsExpected()
    {
        RunResult run = RunResult.Of("quantize", demo.Model, "-c", demo.Calibration, "-d", demo.Unseen, "--labels", demo.Classes, "-p", "tf", "-o", demo["text.onnx"]);
        Assert.Equal("""
            model demo.onnx -> text.onnx
            calibration 240 CIFAR-10 pictures of calibration.bin, 12 classes; #, peak memory #
            judging 240 CIFAR-10 pictures of unseen.bin, 12 classes
            preprocessing tf, as asked for
            weights int8, one scale per output channel; activations uint8
            nodes 15 on codes, 18 merged into others or computed ahead

             float int8
            top-1 # % # % # points (95 %: # to #), p = #: not distinguishable on 240 samples
            top-5 # % # % # points
            same label # % of 240 samples; mean KL divergence # millinats
            file # # #x smaller
            memory # # parameters and values of one sample in Fewbit, #x smaller
            time, Fewbit # # one sample, #x faster


            """.ReplaceLineEndings("\n"), Masked(run.Output));
    }

    [Fact]
    public void Run_OneFolder_HoldsAFifthOutAndSaysSo()
    {
        RunResult run = RunResult.Of("quantize", demo.Model, "-c", demo.Calibration, "--labels", demo.Classes, "--preprocess", "tf", "-o", demo["b.onnx"]);
        Assert.Equal(0, run.Code);
        Assert.Contains($"48 samples of {demo.Calibration} (a fifth, drawn with seed 0) are held out for judging", run.Output, StringComparison.Ordinal);
        Assert.Contains("calibration    192 samples kept with seed 0", run.Output, StringComparison.Ordinal);
    }

    [Fact]
    public void Run_SameSeed_WritesTheSameBytes()
    {
        foreach (string name in new[] { "c.onnx", "d.onnx" })
            RunResult.Of("quantize", demo.Model, "-c", demo.Calibration, "--labels", demo.Classes, "--preprocess", "tf", "--samples", "60", "--seed", "7", "-o", demo[name]);
        Assert.Equal(File.ReadAllBytes(demo["c.onnx"]), File.ReadAllBytes(demo["d.onnx"]));
    }

    [Fact]
    public void Run_WrongPreprocessing_StopsAndNamesTheBetterOne()
    {
        RunResult run = RunResult.Of("quantize", demo.Model, "-c", demo.Calibration, "--labels", demo.Classes, "--preprocess", demo.WrongPreprocessing, "-o", demo["never.onnx"]);
        string line = run.ErrorLine();
        Assert.Matches(@"^float top-1 is [\d.]+ % on 64 samples, near chance \(below [\d.]+ %\): preprocessing 'wrong' does not suit this model: --preprocess tf gives 9\d.\d %; --force goes on all the same$", line);
        Assert.Equal(1, run.Code);
        Assert.False(File.Exists(demo["never.onnx"]));
    }

    [Fact]
    public void Run_NearChanceWithForce_GoesOnAndSaysSo()
    {
        RunResult run = RunResult.Of("quantize", demo.Model, "-c", demo.Calibration, "--labels", demo.Classes, "--preprocess", demo.WrongPreprocessing, "--force", "-o", demo["forced.onnx"]);
        Assert.Equal(0, run.Code);
        Assert.Contains("near chance: top-1", run.Output, StringComparison.Ordinal);
    }

    [Fact]
    public void Run_ShiftedLabels_NamesTheShift()
    {
        byte[] records = File.ReadAllBytes(demo.Unseen);
        for (int at = 0; at < records.Length; at += 3073) records[at] = (byte)(records[at] + 1);
        File.WriteAllBytes(demo["shifted.bin"], records);
        File.WriteAllLines(demo["13.txt"], ["background", .. File.ReadLines(demo.Classes)]);
        RunResult run = RunResult.Of("quantize", demo.Model, "-c", demo["shifted.bin"], "--labels", demo["13.txt"], "--preprocess", "tf", "-o", demo["never.onnx"]);
        Assert.Contains("your labels look shifted by one", run.ErrorLine(), StringComparison.Ordinal);
    }

    [Fact]
    public void Run_Excluded_StaysFloatAndIsReported()
    {
        string conv = OnnxFile.Load(demo.Model).Nodes.Last(node => node.OpType == "Conv").Name;
        RunResult run = RunResult.Of("quantize", demo.Model, "-c", demo.Calibration, "--labels", demo.Classes, "-p", "tf", "--exclude", conv, "-o", demo["e.onnx"], "--verbose");
        Assert.Contains($"  float: 1 Conv ({conv}): excluded\n", run.Output, StringComparison.Ordinal);
        Assert.Matches($@"\n{conv} +Conv +float +float +excluded\n", run.Output);
    }

    [Theory]
    [InlineData("there is no number format 'int9x', expected int1 to int16, uint1 to uint16, 'int8 narrow', fp3e1m1 to fp8e7m0 (endings: fn, fnuz, ieee, finite, then bN for a bias), pot2 to pot8, upot1 to upot7, apot2 to apot8, uapot1 to uapot8 or codebook(file)", "--weights", "int9x")]
    [InlineData("there is no range rule 'widest', expected minmax, mse, entropy, percentile[:99.999], moving-average[:0.1], brecq or qdrop", "--range", "widest")]
    [InlineData("--samples is 0, expected at least 1", "--samples", "0")]
    public void Run_OptionOutOfRange_IsWrongUsage(string message, params string[] options)
    {
        RunResult run = RunResult.Of(["quantize", demo.Model, "-c", demo.Calibration, .. options]);
        Assert.Equal(message, run.ErrorLine());
        Assert.Equal(2, run.Code);
    }

    [Fact]
    public void Run_Cancelled_LeavesNothing()
    {
        using var stop = new CancellationTokenSource();
        stop.Cancel();
        RunResult run = RunResult.Of(stop.Token, "quantize", demo.Model, "-c", demo.Calibration, "--labels", demo.Classes, "-p", "tf", "-o", demo["never.onnx"]);
        Assert.Equal("cancelled; nothing was written", run.ErrorLine());
        Assert.Equal(1, run.Code);
        Assert.Empty(Directory.GetFiles(Path.GetDirectoryName(demo.Model)!, "never*"));
    }

    /// <summary>The text without its folder and what depends on the machine; measured numbers as #, runs of spaces as one.</summary>
    private string Masked(string text)
    {
        IEnumerable<string> lines = text.Split('\n').Where(line => !line.Contains("ONNX Runtime", StringComparison.Ordinal) && !line.StartsWith("int8 brings", StringComparison.Ordinal));
        string kept = string.Join('\n', lines).Replace(Path.GetDirectoryName(demo.Model)! + Path.DirectorySeparatorChar, "", StringComparison.Ordinal);
        kept = kept.Replace("x slower", "x faster", StringComparison.Ordinal).Replace("p = 1:", "p = #:", StringComparison.Ordinal);
        return Regex.Replace(Regex.Replace(kept, @"(?<= |\()[+-]?\d+\.\d+( (kB|MB|GB|µs|ms|s))?|(?<= )\d+ (bytes|kB|MB|µs|ms)", "#"), " +", " ");
    }

    private static JsonDocument Json(params string[] arguments)
    {
        RunResult run = RunResult.Of(arguments);
        Assert.True(run.Code == 0, run.Messages);
        return JsonDocument.Parse(run.Output);
    }
}
