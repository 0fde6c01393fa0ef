using System.Text.Json;
using Fewbit.Models;
using Fewbit.Onnx;
using Fewbit.Storage;
using Fewbit.Tensors;
using Fewbit.Weights;

namespace Fewbit.Cli.Tests.Commands;

public class NewCommandTests
{
    [Fact]
    public void Run_Name_WritesAModelThatInspectReads()
    {
        using var work = new Workspace();
        RunResult run = RunResult.Of("new", "resnet20", "--classes", "12", "--seed", "3", "-o", work["net.onnx"]);
        Assert.Equal("", run.Messages);
        Assert.Equal(0, run.Code);
        Assert.Equal("""
            written        net.onnx
            network        resnet20: CIFAR ResNet of 20 layers
            input          3 x 32 x 32
            classes        12
            parameters     269,852, random from seed 3
            multiply-adds  40.6 M for one sample
            """.ReplaceLineEndings("\n") + "\n", run.Output.Replace(work["net.onnx"], "net.onnx", StringComparison.Ordinal));
        using JsonDocument json = JsonDocument.Parse(RunResult.Of("inspect", work["net.onnx"], "--json").Output);
        Assert.Equal("[\"N\",\"12\"]", JsonSerializer.Serialize(json.RootElement.GetProperty("outputs")[0].GetProperty("shape")));
    }

    [Fact]
    public void Run_Weights_PutsThemIntoTheModel()
    {
        using var work = new Workspace();
        IReadOnlyDictionary<string, Tensor> weights = WeightLoader.WeightsOf(ReferenceModels.Find("resnet20").Create(new() { Seed = 9 }));
        SafetensorsFile.Write(work["w.safetensors"], weights.ToDictionary(pair => $"net.{pair.Key}", pair => pair.Value));

        RunResult run = RunResult.Of("new", "resnet20", "--weights", work["w.safetensors"], "--weight-prefix", "net.", "-o", work["net.onnx"]);

        Assert.Equal((0, ""), (run.Code, run.Messages));
        Assert.Contains($"parameters     269,722, of {work["w.safetensors"]}", run.Output, StringComparison.Ordinal);
        Assert.Equal(ContentHash.OfTensors(weights), ContentHash.OfTensors(WeightLoader.WeightsOf(OnnxFile.Load(work["net.onnx"]))));
    }

    [Fact]
    public void Run_WeightsOfAnotherModel_SaysWhatDiffersAndWritesNothing()
    {
        using var work = new Workspace();
        SafetensorsFile.Write(work["w.safetensors"], WeightLoader.WeightsOf(ReferenceModels.Find("resnet20").Create()));

        RunResult run = RunResult.Of("new", "resnet20", "--classes", "7", "--weights", work["w.safetensors"], "-o", work["net.onnx"]);

        Assert.Contains("2 of another type or shape (linear.weight: float32 [10, 64], expected float32 [7, 64], linear.bias: float32 [10], expected float32 [7])", run.ErrorLine(), StringComparison.Ordinal);
        Assert.Equal((1, false), (run.Code, File.Exists(work["net.onnx"])));
    }

    [Fact]
    public void Run_List_NamesAllWithTheirCost()
    {
        RunResult run = RunResult.Of("new", "--list");
        Assert.Equal(0, run.Code);
        string[] lines = run.Output.Split('\n', StringSplitOptions.RemoveEmptyEntries);
        Assert.Equal(1 + ReferenceModels.All.Count, lines.Length);
        Assert.Matches(@"^resnet18 +11,689,512 +1\.81 G +3 x 224 x 224 +1,000 +ResNet of 18 layers$", lines.Single(line => line.StartsWith("resnet18 ", StringComparison.Ordinal)));
    }

    [Theory]
    [InlineData("no network is named; 'fewbit new --list' shows them")]
    [InlineData("there is no reference model 'resnet21'; did you mean 'resnet20'?", "resnet21")]
    [InlineData("--weight-prefix and --weights-by-order need --weights FILE", "resnet20", "--weights-by-order")]
    [InlineData("--classes is 1, expected 2 to 1000000", "resnet20", "--classes", "1")]
    [InlineData("--input-size is 0, expected 1 to 2048", "resnet20", "--input-size", "0")]
    [InlineData("model 'vit-tiny' takes pictures whose side is a multiple of 16, but is asked for 100", "vit-tiny", "--input-size", "100")]
    public void Run_WrongUsage_SaysItAndReturns2(string expected, params string[] arguments)
    {
        RunResult run = RunResult.Of(["new", .. arguments]);
        Assert.Equal(expected, run.ErrorLine());
        Assert.Equal(2, run.Code);
    }

    [Fact]
    public void Run_FileIsThere_KeepsIt()
    {
        using var work = new Workspace();
        File.WriteAllText(work["net.onnx"], "mine");
        RunResult run = RunResult.Of("new", "resnet20", "-o", work["net.onnx"]);
        Assert.Contains("is there already; give --overwrite", run.ErrorLine(), StringComparison.Ordinal);
        Assert.Equal(1, run.Code);
        Assert.Equal("mine", File.ReadAllText(work["net.onnx"]));
    }
}
