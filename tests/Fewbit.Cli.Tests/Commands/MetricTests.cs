using System.Text.Json;
using Fewbit.Data.Text;
using Fewbit.Models;
using Fewbit.Onnx;
using Fewbit.Testing;

namespace Fewbit.Cli.Tests.Commands;

/// <summary>evaluate and quantize by other metrics than accuracy.</summary>
public sealed class MetricTests(DemoFolder demo) : IClassFixture<DemoFolder>
{
    private const string Text = "to be or not to be, that is the question: whether it is nobler in the mind to suffer";

    private string Language()
    {
        string path = demo["language.onnx"];
        if (!File.Exists(path)) OnnxFile.Save(ReferenceModels.Find("lstm-char").Create(), path);
        return path;
    }

    private string Lines(int repetitions)
    {
        string path = demo[$"lines{repetitions}.txt"];
        File.WriteAllText(path, string.Concat(Enumerable.Repeat(Text, repetitions)));
        Vocabulary.OfCharacters(Text).Save(demo["vocab.json"]);
        return path;
    }

    private static string Message(string[] arguments, int code)
    {
        RunResult run = RunResult.Of(arguments);
        Assert.Equal(code, run.Code);
        return run.ErrorLine();
    }

    [Fact]
    public void Evaluate_LanguageModelOnText_GivesPerplexityWithItsInterval()
    {
        using JsonDocument json = JsonDocument.Parse(RunResult.Of("evaluate", Language(), "-d", Lines(4), "--sequence-length", "32", "--prompt", "4", "--json").Output);
        JsonElement score = json.RootElement.GetProperty("score");
        Assert.Equal("perplexity", score.GetProperty("metric").GetString());
        Assert.False(score.GetProperty("isHigherBetter").GetBoolean());
        Assert.Equal(Text.Length * 4 / 31, score.GetProperty("valueSamples").GetArrayLength());
        Assert.InRange(score.GetProperty("value").GetDouble(), score.GetProperty("valueLow").GetDouble(), score.GetProperty("valueHigh").GetDouble());
        // An untrained model knows nothing: each of 65 kinds is about equally likely.
        Assert.InRange(score.GetProperty("value").GetDouble(), 55, 80);
    }

    [Fact]
    public void Evaluate_LanguageModelBesideItself_LosesNothing()
    {
        RunResult run = RunResult.Of("evaluate", Language(), "--float", Language(), "-d", Lines(4), "--sequence-length", "32");
        Assert.True(run.Code == 0, run.Messages);
        Assert.Contains("0.0000 (95 %: 0.0000 to 0.0000) on 10 samples", run.Output, StringComparison.Ordinal);
        Assert.Contains("mean KL divergence", run.Output, StringComparison.Ordinal);
    }

    [Fact]
    public void Evaluate_MetricThatDoesNotFit_SaysWhatItNeeds()
    {
        Assert.Contains("--metric psnr needs the pictures in high resolution: --reference DIR", Message(["evaluate", demo.Model, "-d", demo.Unseen, "--labels", demo.Classes, "-p", "tf", "--metric", "psnr"], 1), StringComparison.Ordinal);
        Assert.StartsWith("--metric perplexity needs a model that takes token numbers [N, T]", Message(["evaluate", demo.Model, "-d", demo.Unseen, "--labels", demo.Classes, "-p", "tf", "--metric", "perplexity"], 1), StringComparison.Ordinal);
        Assert.StartsWith("no decoder reads the outputs", Message(["evaluate", demo.Model, "-d", demo.Unseen, "--labels", demo.Classes, "-p", "tf", "--metric", "map-vs-float"], 1), StringComparison.Ordinal);
        Assert.Contains("--metric agreement compares with the float model; give it with --float", Message(["evaluate", demo.Model, "-d", demo.Unseen, "--labels", demo.Classes, "-p", "tf", "--metric", "agreement"], 1), StringComparison.Ordinal);
        Assert.Contains("--metric top1 needs labels", Message(["evaluate", Language(), "-d", Lines(4), "--metric", "top1"], 1), StringComparison.Ordinal);
        Assert.Contains("expected at least 1: the first token has none before it", Message(["evaluate", Language(), "-d", Lines(4), "--prompt", "0"], 2), StringComparison.Ordinal);
        Assert.Contains("--score-threshold is 2, expected above 0 and at most 1", Message(["evaluate", demo.Model, "-d", demo.Unseen, "--score-threshold", "2"], 2), StringComparison.Ordinal);
        Assert.Contains("fewer than one row of 3000", Message(["evaluate", Language(), "-d", Lines(4), "--sequence-length", "3000"], 1), StringComparison.Ordinal);
        string elsewhere = Path.Combine(Directory.CreateDirectory(demo["elsewhere"]).FullName, "plain.txt");
        File.WriteAllText(elsewhere, Text);
        Assert.Contains("is text, and the numbers of its tokens are the model's own: --vocabulary FILE", Message(["evaluate", Language(), "-d", elsewhere], 2), StringComparison.Ordinal);
    }

    [Fact]
    public void Quantize_LanguageModel_IsJudgedByPerplexity()
    {
        RunResult run = RunResult.Of("quantize", Language(), "-c", Lines(24), "--sequence-length", "32", "-o", demo["language.int8.onnx"], "--overwrite", "--json");
        Assert.True(run.Code == 0, run.Messages);
        using JsonDocument json = JsonDocument.Parse(run.Output);
        JsonElement score = json.RootElement.GetProperty("judgement").GetProperty("score");
        Assert.Equal("perplexity", score.GetProperty("metric").GetString());
        Assert.InRange(score.GetProperty("difference").GetDouble(), -1, 1);
        Assert.InRange(score.GetProperty("difference").GetDouble(), score.GetProperty("differenceLow").GetDouble(), score.GetProperty("dropBound").GetDouble());
    }

    [DataFact("super_resolution/Set5", "super_resolution/models/imdn_rtc_x2.onnx")]
    public void Evaluate_SuperResolution_GivesPsnrAndItsBaseline()
    {
        RunResult run = RunResult.Of("evaluate", Oracles.Data("super_resolution/models/imdn_rtc_x2.onnx"), "-d", Oracles.Data("super_resolution/Set5/LRx2"),
            "--reference", Oracles.Data("super_resolution/Set5/HR"), "--metric", "psnr", "--json");
        Assert.True(run.Code == 0, run.Messages);
        using JsonDocument json = JsonDocument.Parse(run.Output);
        JsonElement score = json.RootElement.GetProperty("score");
        Assert.Equal(("psnr", "dB", 5), (score.GetProperty("metric").GetString(), score.GetProperty("unit").GetString(), score.GetProperty("samples").GetInt32()));
        Assert.Equal(37.32, score.GetProperty("value").GetDouble(), 0.01);
        Assert.Equal(33.67, score.GetProperty("details")[1].GetProperty("model").GetDouble(), 0.005);
    }

    [DataFact("detection/images", "detection/models/FastestDet_352.onnx")]
    public void Evaluate_Detector_ComparesItsBoxes()
    {
        string model = Oracles.Data("detection/models/FastestDet_352.onnx");
        RunResult run = RunResult.Of("evaluate", model, "--float", model, "--metric", "map-vs-float", "-d", Oracles.Data("detection/images"));
        Assert.True(run.Code == 0, run.Messages);
        Assert.Contains("fastestdet, as fastestdet detectors are fed, whose outputs the model has", run.Output, StringComparison.Ordinal);
        Assert.Matches(@"mAP against float +100\.00 % +100\.00 %  0\.00 points \(95 %: 0\.00 points to 0\.00 points\) on 8 samples", run.Output);
        Assert.Equal("map-vs-float compares with the boxes of the float model; give it with --float", RunResult.Of("evaluate", model, "-d", Oracles.Data("detection/images/coco_bus.jpg")).ErrorLine());
    }
}
