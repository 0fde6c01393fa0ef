using System.Text.Json;
using Fewbit.Cli.Console;
using Fewbit.Cli.Demo;
using Fewbit.Graphs;
using Fewbit.Onnx;
using Fewbit.Quantization;
using Fewbit.Tensors;

namespace Fewbit.Cli.Tests.Commands;

public sealed class PromiseTests(PromiseTests.Pictures pictures) : IClassFixture<PromiseTests.Pictures>
{
    /// <summary>The demonstration's model with enough pictures for a promise of 5 points.</summary>
    public sealed class Pictures : IDisposable
    {
        private readonly Workspace _work = new();

        public Pictures()
        {
            _work.DemoModel();
            new DemoData(3, 1200, "for the search").Save(Many);
            new DemoData(4, 120, "for the search").Save(Few);
            new DemoData(2, 240, "for judging").Save(Unseen);
            File.WriteAllLines(Classes, DemoPictures.Classes);
        }

        public string Model => _work["demo.onnx"];
        public string Many => _work["many.bin"];
        public string Few => _work["few.bin"];
        public string Unseen => _work["unseen.bin"];
        public string Classes => _work["classes.txt"];
        public string this[string name] => _work[name];

        public void Dispose() => _work.Dispose();
    }

    private string[] Command(string data, string name, params string[] options) =>
        ["quantize", pictures.Model, "-c", data, "--labels", pictures.Classes, "-p", "tf", "--samples", "64", "-o", pictures[name], .. options];

    private static JsonElement Promise(RunResult run)
    {
        Assert.True(run.Output.Length > 0, run.Messages);
        return JsonDocument.Parse(run.Output).RootElement.GetProperty("promise");
    }

    [Fact]
    public void Run_EasyPromise_IsKeptByThePlainModelAndShownOnHeldOutSamples()
    {
        RunResult run = RunResult.Of(Command(pictures.Many, "kept.onnx", "--max-drop", "5%", "--data", pictures.Unseen, "--save-recipe", pictures["kept.yaml"], "--json"));
        Assert.True(run.Code == 0, run.Messages);
        JsonElement promise = Promise(run), candidate = Assert.Single(promise.GetProperty("candidates").EnumerateArray()), look = candidate.GetProperty("heldOut");
        Assert.Equal("kept", promise.GetProperty("verdict").GetString());
        Assert.Equal(("int8", 64), (QuantizationRecipe.Read(pictures["kept.yaml"]).Options.Weights.Name, QuantizationRecipe.Read(pictures["kept.yaml"]).Samples));
        Assert.Equal("top1", promise.GetProperty("measure").GetString());
        Assert.Equal((240, 240), (look.GetProperty("outcome").GetProperty("total").GetInt32(), candidate.GetProperty("choosing").GetProperty("total").GetInt32()));
        Assert.InRange(look.GetProperty("bound").GetDouble(), 1e-9, 0.05);
        Assert.Equal(0.96, look.GetProperty("confidence").GetDouble(), 9);
        Assert.Equal(new FileInfo(pictures["kept.onnx"]).Length, candidate.GetProperty("fileBytes").GetInt64());
        using JsonDocument whole = JsonDocument.Parse(run.Output);
        Assert.Equal(240, whole.RootElement.GetProperty("judgement").GetProperty("samples").GetInt32());
        Assert.Contains("unseen.bin", whole.RootElement.GetProperty("judging").GetString(), StringComparison.Ordinal);
        Assert.Empty(Directory.GetFiles(Path.GetDirectoryName(pictures.Model)!, "kept*checkpoint*"));
    }

    [Fact]
    public void Run_PromiseOnText_TellsWhatWasTriedAndTheVerdict()
    {
        RunResult run = RunResult.Of(Command(pictures.Many, "text.onnx", "--max-drop", "5"));
        Assert.Equal(0, run.Code);
        Assert.Matches(@"\nint8 per channel +8\.0 +[\d.]+ kB +-?[\d.]+ +[\d.]+ +-?[\d.]+ +[\d.]+ +\* keeps the promise\n", run.Output);
        Assert.Matches(@"\nPromise kept: top-1 (drops|rises) by [\d.]+ points on 240 held-out samples, and with 95 % confidence the drop is at most [\d.]+ \(5 allowed\)\.\n$", run.Output);
        Assert.Contains("240 samples of", run.Output, StringComparison.Ordinal);
        Assert.Matches(@"int8 per channel: 8\.0 bits, [\d.]+ kB, drop .* on 240 samples\n", run.Messages);
    }

    [Fact]
    public void Run_FewBitsToStartFrom_GivesSensitiveLayersMoreUntilThePromiseIsKept()
    {
        RunResult run = RunResult.Of(Command(pictures.Many, "widened.onnx", "--max-drop", "6%", "--weights", "int2", "--iterations", "10", "--json"));
        JsonElement promise = Promise(run);
        string[] names = [.. promise.GetProperty("candidates").EnumerateArray().Select(candidate => candidate.GetProperty("name").GetString()!)];
        Assert.Equal("int2 per channel", names[0]);
        Assert.Contains("int2 per channel, biases corrected", names);
        Assert.Contains(names, name => name.EndsWith("rounding learned", StringComparison.Ordinal));
        Assert.True(run.Code == 0, promise.GetProperty("sentence").GetString());
        Assert.Contains("of its layers in int8", promise.GetProperty("best").GetString(), StringComparison.Ordinal);
    }

    [Fact]
    public void Run_PromiseThatNothingKeeps_IsMissedAndTheBestIsSaved()
    {
        RunResult run = RunResult.Of(Command(pictures.Many, "missed.onnx", "--max-drop", "2.5pp", "--weights", "int1", "--time-budget", "0.001s"));
        Assert.Equal(1, run.Code);
        Assert.True(File.Exists(pictures["missed.onnx"]));
        Assert.Matches(@"\nPromise missed: of the best candidate, int1 per channel, top-1 drops by [\d.]+ points on the 240 samples that choose, .*; the time budget of 1\.00 ms ended the search, --time-budget gives more\. It is saved all the same\.\n$", run.Output);
    }

    [Fact]
    public void Run_TooFewSamples_SaysHowManyMore()
    {
        RunResult run = RunResult.Of(Command(pictures.Few, "few.onnx", "--max-drop", "1%", "--iterations", "5"));
        Assert.True(run.Output.Length > 0, run.Messages);
        Assert.Equal(1, run.Code);
        Assert.True(File.Exists(pictures["few.onnx"]));
        Assert.Contains("Promise not shown, for 24 held-out samples are too few for 1 point whatever the model: 1,485 more samples in --calibration are needed, so that 321 are held out", run.Output, StringComparison.Ordinal);
    }

    [Fact]
    public void Run_NoLabels_JudgesAgreementWithFloat()
    {
        string arrays = pictures["arrays.npy"];
        WriteArrays(arrays, 1200);
        RunResult run = RunResult.Of("quantize", pictures.Model, "-c", arrays, "--samples", "64", "-o", pictures["agreement.onnx"], "--max-drop", "10", "--json");
        JsonElement promise = Promise(run);
        Assert.Equal("agreement", promise.GetProperty("measure").GetString());
        Assert.True(run.Code == 0, promise.GetProperty("sentence").GetString());
        Assert.Contains("labels differ from the float model's on", promise.GetProperty("sentence").GetString(), StringComparison.Ordinal);
    }

    [Fact]
    public void Run_Smallest_HasFewerBytesThanInt8AndKeepsThePromise()
    {
        RunResult plain = RunResult.Of(Command(pictures.Many, "plain.onnx", "--max-drop", "6%", "--json"));
        RunResult run = RunResult.Of(Command(pictures.Many, "smallest.onnx", "--max-drop", "6%", "--smallest", "--iterations", "30", "--json"));
        JsonElement promise = Promise(run);
        Assert.True(run.Code == 0, promise.GetProperty("sentence").GetString());
        JsonElement best = promise.GetProperty("candidates").EnumerateArray().Single(candidate => candidate.GetProperty("name").GetString() == promise.GetProperty("best").GetString());
        Assert.InRange(best.GetProperty("weightBits").GetDouble(), 2, 7.5);
        Assert.InRange(best.GetProperty("heldOut").GetProperty("bound").GetDouble(), 0, 0.06);
        Assert.True(new FileInfo(pictures["smallest.onnx"]).Length < new FileInfo(pictures["plain.onnx"]).Length);
        Assert.Equal(0, plain.Code);
        JsonElement[] pareto = [.. promise.GetProperty("pareto").EnumerateArray()];
        Assert.Equal(pareto.Select(one => one.GetProperty("fileBytes").GetInt64()).OrderDescending(), pareto.Select(one => one.GetProperty("fileBytes").GetInt64()));
        Assert.Equal(pareto.Select(one => one.GetProperty("bound").GetDouble()).Order(), pareto.Select(one => one.GetProperty("bound").GetDouble()));
    }

    [Fact]
    public void Run_StoppedWhileSearching_SavesTheBestAndGoesOnFromItWhenAskedTo()
    {
        string[] command = Command(pictures.Many, "stopped.onnx", "--max-drop", "2.5pp", "--weights", "int1", "--iterations", "5");
        using var stop = new CancellationTokenSource();
        using StringWriter output = new() { NewLine = "\n" };
        using var messages = new Watched("biases corrected: ", stop.Cancel) { NewLine = "\n" };
        Assert.Equal(1, CommandLine.Run(command, new CommandOutput(output, messages), stop.Token));
        Assert.True(File.Exists(pictures["stopped.onnx"]));
        Assert.Contains("Stopped before the promise was kept; the best so far, int1 per channel", output.ToString(), StringComparison.Ordinal);
        Assert.Contains($"error: cancelled; complete: {pictures["stopped.onnx"]}", messages.ToString(), StringComparison.Ordinal);

        RunResult again = RunResult.Of([.. command, "--resume", "--json"]);
        JsonElement promise = Promise(again);
        Assert.Equal(["int1 per channel", "int1 per channel, biases corrected"], promise.GetProperty("candidates").EnumerateArray().Take(2).Select(candidate => candidate.GetProperty("name").GetString()!));
        Assert.Empty(Directory.GetFiles(Path.GetDirectoryName(pictures.Model)!, "stopped*checkpoint*"));
    }

    [Fact]
    public void Run_NoDataForAConvolutionalNetwork_WritesFloat16AndSaysWhatSamplesWouldAllow()
    {
        RunResult run = RunResult.Of("quantize", pictures.Model, "--max-drop", "1%", "-o", pictures["half.onnx"]);
        Assert.True(run.Code == 0, run.Messages);
        Assert.Matches(@"\nmode +float16\n", run.Output);
        Assert.Contains("Without data nothing is promised", run.Output, StringComparison.Ordinal);
        Assert.Contains("1,605 samples (--calibration DIR|FILE) would allow more: int8 arithmetic", run.Output, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("", ElementType.Int8)]
    [InlineData("--smallest", ElementType.Int4)]
    public void Run_NoDataForANetworkOfProducts_WritesBlocksOfCodes(string smallest, ElementType format)
    {
        string model = pictures[$"products{format}.onnx"], target = pictures[$"products{format}.out.onnx"];
        var graph = new Graph("products", 17);
        Value x = graph.AddInput("x", ElementType.Float32, new SymbolicShape(1, 64));
        var random = new Random(1);
        Value weight = graph.AddConstant("w", Tensor.From<float>([.. Enumerable.Range(0, 64 * 32).Select(_ => (float)random.NextDouble() - 0.5f)], [64, 32]));
        graph.AddOutput(graph.AddNode("MatMul", [x, weight], name: "product").Outputs[0]);
        OnnxFile.Save(graph, model);
        string[] options = smallest.Length > 0 ? [smallest] : [];
        RunResult run = RunResult.Of(["quantize", model, "--max-drop", "1%", "-o", target, .. options]);
        Assert.True(run.Code == 0, run.Messages);
        Assert.Contains(OnnxFile.Load(target).Constants, constant => constant.Type == format && constant.Constant!.ElementCount == 64 * 32);
        Assert.Contains("the weights of MatMul and Gemm are codes", run.Output, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("--max-drop is '1x', expected percentage points above 0 and at most 100, such as 1%, 0.5 or 1pp", "--max-drop", "1x")]
    [InlineData("--max-drop is '0%', expected percentage points above 0 and at most 100, such as 1%, 0.5 or 1pp", "--max-drop", "0%")]
    [InlineData("--max-drop is '101', expected percentage points above 0 and at most 100, such as 1%, 0.5 or 1pp", "--max-drop", "101")]
    [InlineData("--smallest needs to know what may be lost: give --max-drop too, such as --max-drop 1%", "--smallest")]
    [InlineData("--method is what --max-drop searches for; leave it out", "--max-drop", "1%", "--method", "qdrop")]
    [InlineData("--equalize is what --max-drop searches for; leave it out", "--max-drop", "1%", "--equalize")]
    [InlineData("--weights is what --smallest searches for; leave it out", "--max-drop", "1%", "--smallest", "--weights", "int4")]
    [InlineData("--max-drop chooses the mode itself, and --mode float16 is given; leave one of them out", "--max-drop", "1%", "--mode", "float16")]
    public void Run_WrongUsage_SaysWhatIsWrong(string expected, params string[] options)
    {
        RunResult run = RunResult.Of(Command(pictures.Many, "never.onnx", options));
        Assert.Equal((2, expected), (run.Code, run.ErrorLine()));
    }

    [Fact]
    public void Run_ModelWithoutClassScores_SaysThatNothingCanBeJudged()
    {
        string model = pictures["picture.onnx"];
        var graph = new Graph("picture", 17);
        Value x = graph.AddInput("x", ElementType.Float32, new SymbolicShape(Dim.Unknown, 3, 32, 32));
        Value weight = graph.AddConstant("w", Tensor.From<float>([.. Enumerable.Range(0, 81).Select(i => i / 81f - 0.5f)], [3, 3, 3, 3]));
        Value first = graph.AddNode("Conv", [x, weight], new() { { "pads", new long[] { 1, 1, 1, 1 } } }, name: "conv1").Outputs[0];
        graph.AddOutput(graph.AddNode("Conv", [first, weight], new() { { "pads", new long[] { 1, 1, 1, 1 } } }, name: "conv2").Outputs[0]);
        OnnxFile.Save(graph, model);
        RunResult run = RunResult.Of("quantize", model, "-c", pictures.Few, "--labels", pictures.Classes, "-p", "tf", "--max-drop", "1%", "--force", "-o", pictures["never.onnx"]);
        Assert.Equal(1, run.Code);
        Assert.Contains("no output holds class scores of shape [N, classes], by which a promise is judged", run.ErrorLine(), StringComparison.Ordinal);
    }

    /// <summary>Preprocessed pictures without labels, as an .npy file.</summary>
    private static void WriteArrays(string path, int count)
    {
        string header = $"{{'descr': '<f4', 'fortran_order': False, 'shape': ({count}, 3, 32, 32), }}";
        header = header.PadRight((10 + header.Length + 1 + 63) / 64 * 64 - 10 - 1) + "\n";
        using FileStream file = File.Create(path);
        file.Write([0x93, (byte)'N', (byte)'U', (byte)'M', (byte)'P', (byte)'Y', 1, 0, (byte)header.Length, (byte)(header.Length >> 8)]);
        file.Write(System.Text.Encoding.ASCII.GetBytes(header));
        Span<byte> planes = stackalloc byte[DemoPictures.ByteCount];
        for (int i = 0; i < count; i++)
        {
            DemoPictures.Draw(6, i, planes);
            foreach (byte value in planes) file.Write(BitConverter.GetBytes(value / 127.5f - 1));
        }
    }
}
