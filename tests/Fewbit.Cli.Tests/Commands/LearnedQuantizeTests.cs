using System.Text.Json;
using Fewbit.Cli.Console;
using Fewbit.Cli.Quantizing;
using Fewbit.Onnx;
using Fewbit.Quantization;

namespace Fewbit.Cli.Tests.Commands;

public sealed class LearnedQuantizeTests(DemoFolder demo) : IClassFixture<DemoFolder>
{
    private string[] Command(params string[] options) => ["quantize", demo.Model, "-c", demo.Calibration, "-d", demo.Unseen, "--labels", demo.Classes, "-p", "tf", "--samples", "48", .. options];

    [Theory]
    [InlineData("nearest", "deploy", "uint4")]
    [InlineData("adaround", "deploy", "uint4")]
    [InlineData("brecq", "paper", "uint4")]
    [InlineData("qdrop", "deploy", "uint4")]
    [InlineData("qdrop", "paper", "float")]
    public void Run_EachMethod_WritesAModelAndSaysWhatEachLayerGot(string method, string placement, string activations)
    {
        string path = demo[$"{method}-{placement}.onnx"];
        string[] steps = method == "nearest" ? [] : ["--iterations", "3"];
        RunResult run = RunResult.Of(Command(["--method", method, "--placement", placement, "--weights", "uint4", "--activations", activations, "-o", path, "--verbose", .. steps]));
        Assert.True(run.Code == 0, run.Messages);
        Assert.Contains($"weights        uint4, one scale per output channel; activations {activations}", run.Output, StringComparison.Ordinal);
        Assert.Matches(@"\n.*\.weight +uint4 +[\d,]+ +\d+\.\d\n", run.Output);
        Assert.Equal(method != "nearest", run.Output.Contains($"method         {method}, weights", StringComparison.Ordinal));
        Assert.Equal(method, OnnxFile.Load(path).Metadata["fewbit.method"]);
        Assert.Empty(Directory.GetFiles(Path.GetDirectoryName(path)!, "*checkpoint*"));
    }

    [Fact]
    public void Run_SameSeed_LearnsTheSameBytes()
    {
        foreach (string name in (string[])["one.onnx", "two.onnx"])
            Assert.Equal(0, RunResult.Of(Command("--method", "qdrop", "-w", "uint3", "-a", "uint4", "--iterations", "3", "--seed", "5", "--threads", name == "one.onnx" ? "1" : "2", "-o", demo[name])).Code);
        Assert.Equal(File.ReadAllBytes(demo["one.onnx"]), File.ReadAllBytes(demo["two.onnx"]));
    }

    [Fact]
    public void Run_TimeBudget_TakesFewerSteps()
    {
        RunResult run = RunResult.Of(Command("--method", "adaround", "-w", "uint3", "-a", "float", "--iterations", "10000000", "--time-budget", "0.5s", "-o", demo["budget.onnx"], "--json"));
        Assert.True(run.Code == 0, run.Messages);
        using JsonDocument json = JsonDocument.Parse(run.Output);
        JsonElement[] units = [.. json.RootElement.GetProperty("quantization").GetProperty("units").EnumerateArray()];
        Assert.NotEmpty(units);
        Assert.All(units, unit => Assert.InRange(unit.GetProperty("iterations").GetInt32(), 1, 1_000_000));
    }

    [Fact]
    public void Run_StoppedWhileLearning_KeepsACheckpointForTheSameCommandOnly()
    {
        string path = demo["stopped.onnx"], checkpoint = path + ".checkpoint.json";
        using var stop = new CancellationTokenSource();
        using StringWriter output = new() { NewLine = "\n" };
        using var messages = new Watched("unit 1 of", stop.Cancel) { NewLine = "\n" };
        string[] command = Command("--method", "brecq", "-w", "uint3", "-a", "float", "--iterations", "10000000", "-o", path);
        Assert.Equal(1, CommandLine.Run(command, new CommandOutput(output, messages), stop.Token));
        Assert.Contains($"{checkpoint}: keeps the unfinished work; the same command with --resume goes on from it\nerror: cancelled; nothing was written\n", messages.ToString(), StringComparison.Ordinal);
        Assert.False(File.Exists(path));

        Assert.Equal($"{checkpoint}: a checkpoint of unfinished work is there; --resume goes on from it, --overwrite starts anew", RunResult.Of(command).ErrorLine());
        RunResult other = RunResult.Of([.. command, "--resume", "--seed", "9"]);
        Assert.Equal(1, other.Code);
        Assert.Contains($"{checkpoint}: was made with other data and options", other.Messages, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(null, LearningObjective.DiagonalFisher)]
    [InlineData(LearningObjective.FullFisher, LearningObjective.FullFisher)]
    public void Complete_ObjectiveOfTheCommandLine_CountsBeforeThatOfTheRecipe(LearningObjective? given, LearningObjective expected)
    {
        var recipe = new RecipeSettings { Stated = new() { Options = new() { Learning = new() { Objective = LearningObjective.DiagonalFisher } } } };
        Assert.Equal(expected, RecipeArguments.Complete(recipe, new() { Learning = new() { Objective = given } }).Learning.Objective);
    }

    [Theory]
    [InlineData("there is no method 'brecg'; did you mean 'brecq'?; there are nearest, adaround, brecq, qdrop", "--method", "brecg")]
    [InlineData("--iterations is for a method that learns, and --method nearest learns nothing; give --method adaround, brecq or qdrop, or leave --iterations out", "--iterations", "5")]
    [InlineData("--resume is for a method that learns, and --method nearest learns nothing; give --method adaround, brecq or qdrop, or leave --resume out", "--resume")]
    [InlineData("--iterations is -1, expected 0 to 10,000,000", "--method", "qdrop", "--iterations", "-1")]
    [InlineData("--rounding-weight is -1, expected 0 to 1,000,000", "--method", "qdrop", "--rounding-weight", "-1")]
    [InlineData("--objective is 'fisher', expected output-error, diagonal-fisher, full-fisher", "--method", "brecq", "--objective", "fisher")]
    [InlineData("--rounding-rate is 2, expected 0 to 1", "--method", "brecq", "--rounding-rate", "2")]
    [InlineData("--scale-rate is -0.5, expected 0 to 1", "--method", "brecq", "--scale-rate", "-0.5")]
    [InlineData("--drop-probability is 1.5, expected 0 to 1", "--method", "qdrop", "--drop-probability", "1.5")]
    [InlineData("--drop-probability is for qdrop; brecq learns on whatever is quantized: leave it out", "--method", "brecq", "--drop-probability", "0.5")]
    [InlineData("--learning-batch is 0, expected 1 to 65,536", "--method", "qdrop", "--learning-batch", "0")]
    [InlineData("--learning-batch is for a method that learns, and --method nearest learns nothing; give --method adaround, brecq or qdrop, or leave --learning-batch out", "--learning-batch", "8")]
    [InlineData("--rounding-weight is for a method that learns, and --method nearest learns nothing; give --method adaround, brecq or qdrop, or leave --rounding-weight out", "--rounding-weight", "0.1")]
    [InlineData("--activation-iterations is for adaround and brecq; qdrop learns the scales of activations together with the weights: leave it out", "--method", "qdrop", "--activation-iterations", "5")]
    [InlineData("--time-budget is '10', expected a number and s, m or h, such as 90s, 10m or 1.5h", "--method", "qdrop", "--time-budget", "10")]
    [InlineData("--placement is 'papers', expected deploy or paper", "--placement", "papers")]
    [InlineData("--first-last is '4', expected 8 or same", "--first-last", "4")]
    [InlineData("--range is for activations, and --activations float leaves them as they are; leave --range out (--weight-range is for weights)", "-a", "float", "--range", "mse")]
    [InlineData("--quantize-outputs does not go with --placement paper, where outputs stay float; leave it out", "--placement", "paper", "--quantize-outputs")]
    [InlineData("no runtime has a kernel for activations fp6e3m2: they would be a simulation without speed-up; choose uint1 to uint8, int2 to int8, a 16-bit integer or an 8-bit float such as fp8e4m3fn, or leave Strict (--strict) out", "-a", "fp6e3m2", "--strict")]
    [InlineData("--container is 'tiny', expected fast or small", "--container", "tiny")]
    public void Run_OptionsThatDoNotFit_AreWrongUsage(string message, params string[] options)
    {
        RunResult run = RunResult.Of(Command(["-o", demo["never.onnx"], .. options]));
        Assert.Equal(message, run.ErrorLine());
        Assert.Equal(2, run.Code);
    }

    [Fact]
    public void Run_ResumeWithoutACheckpoint_SaysSo()
    {
        RunResult run = RunResult.Of(Command("--method", "qdrop", "--resume", "--checkpoint", demo["none.json"], "-o", demo["never.onnx"]));
        Assert.Equal($"{demo["none.json"]}: there is no checkpoint to go on from; leave --resume out, or name its file with --checkpoint", run.ErrorLine());
        Assert.Equal(1, run.Code);
    }

    [Fact]
    public void Run_CheckpointIsAnotherFile_LeavesItAlone()
    {
        File.WriteAllText(demo["precious.json"], "{ \"mine\": 1 }");
        RunResult run = RunResult.Of(Command("--method", "qdrop", "--iterations", "1", "--checkpoint", demo["precious.json"], "--overwrite", "-o", demo["never.onnx"]));
        Assert.Equal((1, $"{demo["precious.json"]}: is there already and is no checkpoint, so it is not replaced; name another file with --checkpoint"), (run.Code, run.ErrorLine()));
        Assert.Equal("{ \"mine\": 1 }", File.ReadAllText(demo["precious.json"]));
        run = RunResult.Of(Command("--method", "qdrop", "--checkpoint", demo["never.onnx"], "-o", demo["never.onnx"]));
        Assert.Equal((2, $"{demo["never.onnx"]}: is the model to write, it cannot be the checkpoint too; name another file with --checkpoint"), (run.Code, run.ErrorLine()));
    }
}
