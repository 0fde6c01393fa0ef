using System.Text.Json;
using Fewbit.Data;
using Fewbit.Onnx;

namespace Fewbit.Cli.Tests.Commands;

public sealed class TrainCommandTests(DemoFolder demo) : IClassFixture<DemoFolder>
{
    /// <summary>120 steps are enough to know 240 pictures by heart.</summary>
    [Fact]
    public void Run_ReferenceModel_LearnsAndWritesAModelThatEvaluateReads()
    {
        RunResult run = RunResult.Of("train", "resnet-tiny", "--data", demo.Unseen, "--labels", demo.Classes, "--validation", demo.Unseen, "--preprocess", "tf", "--epochs", "12", "--batch", "24",
            "--optimizer", "adam", "--lr", "0.01", "--schedule", "one-cycle", "--seed", "1", "-o", demo["shapes.onnx"], "--metrics", demo["shapes.csv"], "--json");
        Assert.Equal(0, run.Code);
        using JsonDocument json = JsonDocument.Parse(run.Output);
        double top1 = json.RootElement.GetProperty("epochs")[11].GetProperty("validation").GetProperty("top1").GetDouble();
        Assert.InRange(top1, 0.95, 1);
        Assert.Equal(13, File.ReadAllLines(demo["shapes.csv"]).Length);
        using JsonDocument judged = JsonDocument.Parse(RunResult.Of("evaluate", demo["shapes.onnx"], "--data", demo.Unseen, "--labels", demo.Classes, "--json").Output);
        Assert.Equal(top1, judged.RootElement.GetProperty("top1").GetDouble(), 1e-9);
        Assert.Contains("epoch 12 of 12: loss ", run.Messages, StringComparison.Ordinal);
    }

    [Fact]
    public void Run_Stopped_ResumesToTheSameBytes()
    {
        string[] start = ["train", demo.Model, "--data", demo.Calibration, "--labels", demo.Classes, "--preprocess", "tf", "--epochs", "2", "--batch", "48", "--augment", "cifar", "--lr", "0.01"];
        Assert.Equal(0, RunResult.Of([.. start, "-o", demo["whole.onnx"], "--threads", "2"]).Code);
        using var stopped = new CancellationTokenSource();
        stopped.Cancel();
        RunResult run = RunResult.Of(stopped.Token, [.. start, "-o", demo["parts.onnx"], "--checkpoint", demo["parts.json"]]);
        Assert.Equal((1, $"{demo["parts.json"]}: keeps the unfinished work; the same command with --resume goes on from it\nerror: cancelled; nothing was written\n"), (run.Code, run.Messages));
        Assert.Equal(0, RunResult.Of([.. start, "-o", demo["parts.onnx"], "--checkpoint", demo["parts.json"], "--resume", "--threads", "1"]).Code);
        Assert.Equal(OnnxFile.ToBytes(OnnxFile.Load(demo["whole.onnx"])), OnnxFile.ToBytes(OnnxFile.Load(demo["parts.onnx"])));
    }

    [Fact]
    public void Run_RecipeWithOptionsOverIt_TakesBoth()
    {
        File.WriteAllText(demo["recipe.yaml"], "version: 1\ntraining:\n  model: resnet-tiny\n  optimizer: {name: sgd, momentum: 0.5}\n  epochs: 9\n  batch: 60\n");
        RunResult run = RunResult.Of("train", "--recipe", demo["recipe.yaml"], "--data", demo.Calibration, "--labels", demo.Classes, "--validation-share", "0.25", "--epochs", "1", "--seed", "4", "-o", demo["recipe.onnx"], "--metrics", demo["recipe.jsonl"]);
        Assert.Equal("", run.Code == 0 ? "" : run.Messages);
        Assert.Contains("60 samples held out with seed 4, of 240 ", run.Output, StringComparison.Ordinal);
        Assert.Contains("1 of 1, 3 steps, loss ", run.Output, StringComparison.Ordinal);
        Assert.Contains(", seed 4\n", run.Output, StringComparison.Ordinal);
        using JsonDocument line = JsonDocument.Parse(File.ReadAllLines(demo["recipe.jsonl"]).Single());
        Assert.Equal(3, line.RootElement.GetProperty("step").GetInt32());
        Assert.Equal(Preprocessing.Cifar10, Preprocessing.FromJson(OnnxFile.Load(demo["recipe.onnx"]).Metadata["fewbit.preprocessing"], "metadata"));
    }

    [Fact]
    public void Run_Text_TrainsALanguageModelAndKeepsItsVocabulary()
    {
        File.WriteAllText(demo["text.txt"], string.Concat(Enumerable.Repeat("abcd efg\n", 200)));
        RunResult run = RunResult.Of("train", "lstm-char", "--data", demo["text.txt"], "--validation-share", "0.1", "--input-size", "12", "--batch", "4", "--optimizer", "adam", "--lr", "0.01",
            "--epochs", "1", "--steps-per-epoch", "25", "-o", demo["text.onnx"], "--json");
        Assert.Equal(0, run.Code);
        using JsonDocument json = JsonDocument.Parse(run.Output);
        Assert.InRange(json.RootElement.GetProperty("epochs")[0].GetProperty("validation").GetProperty("perplexity").GetDouble(), 1, 3);
        Assert.Contains("\"\\n\"", File.ReadAllText(demo["text.vocabulary.json"]), StringComparison.Ordinal);
    }

    [Fact]
    public void Run_VocabularyThatIsThere_StaysAsItIs()
    {
        File.WriteAllText(demo["book.txt"], string.Concat(Enumerable.Repeat("abcd efg\n", 200)));
        File.WriteAllText(demo["book.vocabulary.json"], "another one");
        RunResult run = RunResult.Of("train", "lstm-char", "--data", demo["book.txt"], "--input-size", "12", "--epochs", "1", "--steps-per-epoch", "1", "-o", demo["book.onnx"]);
        Assert.Equal((1, $"{demo["book.vocabulary.json"]}: is there already; give --overwrite, or another file with -o"), (run.Code, run.ErrorLine()));
        Assert.Equal("another one", File.ReadAllText(demo["book.vocabulary.json"]));
    }

    [Fact]
    public void Run_FilesThatCannotBeWritten_AreSaidBeforeTraining()
    {
        string[] start = ["train", "resnet-tiny", "--data", demo.Calibration, "--labels", demo.Classes, "-o", demo["never.onnx"]];
        string folder = Path.GetDirectoryName(demo["none/x"])!;
        Assert.Equal($"{demo["none/m.csv"]}: there is no folder {folder}", RunResult.Of([.. start, "--metrics", demo["none/m.csv"]]).ErrorLine());
        Assert.Equal($"{demo["none/c.json"]}: there is no folder {folder}", RunResult.Of([.. start, "--checkpoint", demo["none/c.json"]]).ErrorLine());
        Assert.Equal($"{demo.Classes}: is there already and is no checkpoint, so it is not replaced; name another file with --checkpoint", RunResult.Of([.. start, "--overwrite", "--checkpoint", demo.Classes]).ErrorLine());
        Assert.Equal($"{demo["none.onnx"]}: no such model file", RunResult.Of("train", demo["none.onnx"], "--data", demo.Calibration).ErrorLine());
        Assert.Equal($"{demo["none.yaml"]}: there is no such recipe", RunResult.Of("train", "--recipe", demo["none.yaml"]).ErrorLine());
    }

    [Fact]
    public void Run_DetectAnomalies_NamesTheNode()
    {
        RunResult run = RunResult.Of("train", "resnet-tiny", "--data", demo.Calibration, "--labels", demo.Classes, "--epochs", "4", "--batch", "60", "--lr", "1e6", "--set", "freeze-batch-norm=true",
            "--detect-anomalies", "-o", demo["never.onnx"]);
        Assert.Equal(1, run.Code);
        Assert.Matches("error: [\\w.]+ '[^']+': .*(NaN|[Ii]nfinit)", run.Messages);
    }

    [Theory]
    [InlineData(2, "no model is named: give an ONNX file or a reference model, 'fewbit new --list' shows them")]
    [InlineData(2, "no data are named: give --data", "resnet20")]
    [InlineData(1, "there is no reference model 'resnet22'; did you mean 'resnet20'?", "resnet22", "--data", "x")]
    [InlineData(2, "--epochs: training.epochs is 0, it must be in [1, 1000000]", "resnet20", "--data", "x", "--epochs", "0")]
    [InlineData(2, "--lr: training.optimizer.learning-rate is 'fast', expected a number", "resnet20", "--data", "x", "--lr", "fast")]
    [InlineData(2, "--set optimizer.nestrov=true: training.optimizer.nestrov is unknown here; did you mean 'nesterov'?; there are learning-rate, momentum, name, nesterov, weight-decay", "resnet20", "--set", "optimizer.nestrov=true")]
    [InlineData(2, "--set is 'nesterov', expected KEY=VALUE", "resnet20", "--set", "nesterov")]
    [InlineData(2, "--resume needs the file to go on from: give --checkpoint", "resnet20", "--data", "x", "--resume")]
    [InlineData(2, "--checkpoint-steps needs the file to write: give --checkpoint", "resnet20", "--data", "x", "--checkpoint-steps", "5")]
    [InlineData(2, "--metrics is 'm.txt', expected a name that ends in .csv or .jsonl", "resnet20", "--data", "x", "--metrics", "m.txt")]
    public void Run_WrongInput_SaysOneLine(int code, string message, params string[] arguments)
    {
        RunResult run = RunResult.Of(["train", .. arguments, "-o", demo["never.onnx"]]);
        Assert.Equal((code, message), (run.Code, run.ErrorLine()));
        Assert.False(File.Exists(demo["never.onnx"]));
    }
}
