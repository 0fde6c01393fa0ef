using System.Text.Json;
using Fewbit.Onnx;
using Fewbit.Quantization;

namespace Fewbit.Cli.Tests.Commands;

public sealed class QuantizeRecipeTests(DemoFolder demo) : IClassFixture<DemoFolder>
{
    private string[] Command(params string[] options) => ["quantize", demo.Model, "-c", demo.Calibration, "-d", demo.Unseen, "--labels", demo.Classes, "-p", "tf", "--samples", "48", .. options];

    private string Recipe(string name, string keys)
    {
        File.WriteAllText(demo[name], $"version: 1\nquantization:\n{keys}");
        return demo[name];
    }

    private byte[] Run(string target, params string[] options)
    {
        RunResult run = RunResult.Of(Command([.. options, "-o", demo[target], "--overwrite"]));
        Assert.True(run.Code == 0, run.Messages);
        return File.ReadAllBytes(demo[target]);
    }

    [Fact]
    public void Run_Recipe_DoesWhatTheOptionsWouldAndSavesWhatWasUsed()
    {
        string recipe = Recipe("r.yaml", $"""
              calibration: {demo.Calibration}
              data: {demo.Unseen}
              labels: {demo.Classes}
              preprocess: tf
              samples: 48
              weights: int6
              activation-range: minmax
              first-last: same
              transforms: [correct-biases]
              exclude: linear
            """);
        byte[] expected = Run("options.onnx", "-w", "int6", "--range", "minmax", "--first-last", "same", "--correct-biases", "--exclude", "linear");
        RunResult run = RunResult.Of("quantize", demo.Model, "--recipe", recipe, "-o", demo["file.onnx"], "--save-recipe", demo["used.yaml"]);
        Assert.True(run.Code == 0, run.Messages);
        Assert.Equal(expected, File.ReadAllBytes(demo["file.onnx"]));
        Assert.Equal(0, RunResult.Of("quantize", demo.Model, "--recipe", demo["used.yaml"], "-o", demo["again.onnx"]).Code);
        Assert.Equal(expected, File.ReadAllBytes(demo["again.onnx"]));
        Assert.Equal(("int6", 48), (QuantizationRecipe.Read(demo["used.yaml"]).Options.Weights.Name, QuantizationRecipe.Read(demo["used.yaml"]).Samples));
    }

    [Fact]
    public void Run_OptionsBesideARecipe_GoBeforeIt()
    {
        string recipe = Recipe("over.yaml", "  weights: int4\n  rounding: qdrop\n  learning: {iterations: 3}\n  overrides: [{layers: 'layer?.conv1', weights: uint3}]\n");
        string[] FormatsOf(params string[] options)
        {
            RunResult run = RunResult.Of(Command(["--recipe", recipe, "-o", demo["over.onnx"], "--overwrite", "--json", .. options]));
            Assert.True(run.Code == 0, run.Messages);
            using JsonDocument json = JsonDocument.Parse(run.Output);
            return [.. json.RootElement.GetProperty("quantization").GetProperty("nodes").EnumerateArray().Where(node => node.GetProperty("name").GetString() is "layer2.conv1" or "layer2.conv2")
                .Select(node => node.GetProperty("requested").GetString()!)];
        }

        Assert.Equal(["uint3 weights, uint8 activations", "int4 weights, uint8 activations"], FormatsOf());
        Assert.Equal("qdrop", OnnxFile.Load(demo["over.onnx"]).Metadata["fewbit.method"]);
        // The learning settings are those of the recipe's own method.
        Assert.Equal(["uint3 weights, uint4 activations", "int5 weights, uint4 activations"], FormatsOf("--method", "nearest", "-w", "int5", "-a", "uint4"));
        Assert.Equal("nearest", OnnxFile.Load(demo["over.onnx"]).Metadata["fewbit.method"]);
    }

    [Fact]
    public void Run_RecipeOfAnotherMode_NeedsNoData()
    {
        string recipe = Recipe("dynamic.yaml", "  mode: dynamic\n  weights: int7\n");
        Assert.Equal(0, RunResult.Of("quantize", demo.Model, "--recipe", recipe, "-o", demo["dynamic.onnx"], "--save-recipe", demo["dynamic.used.yaml"]).Code);
        Assert.Equal(0, RunResult.Of("quantize", demo.Model, "--mode", "dynamic", "-w", "int7", "-o", demo["dynamic2.onnx"]).Code);
        Assert.Equal(File.ReadAllBytes(demo["dynamic2.onnx"]), File.ReadAllBytes(demo["dynamic.onnx"]));
        Assert.Equal((QuantizationMode.Dynamic, "int7"), (QuantizationRecipe.Read(demo["dynamic.used.yaml"]).Mode, QuantizationRecipe.Read(demo["dynamic.used.yaml"]).Dynamic.Weights.Name));
    }

    [Fact]
    public void Run_FromPlan_GivesTheSameBytesAndRefusesAnotherModel()
    {
        byte[] expected = Run("planned.onnx", "--method", "qdrop", "-w", "uint3", "-a", "uint4", "--iterations", "3", "--plan", demo["plan.json"]);
        RunResult run = RunResult.Of("quantize", demo.Model, "--from-plan", demo["plan.json"], "-o", demo["replayed.onnx"]);
        Assert.True(run.Code == 0, run.Messages);
        Assert.Equal(expected, File.ReadAllBytes(demo["replayed.onnx"]));
        RunResult.Of("new", "resnet-tiny", "-o", demo["other.onnx"], "--classes", "12");
        RunResult other = RunResult.Of("quantize", demo["other.onnx"], "--from-plan", demo["plan.json"], "--force", "-o", demo["never.onnx"]);
        Assert.Matches(@"error: .*other.onnx: .*plan.json: was made with other model: the plan's fingerprint is [0-9a-f]{12}, this one is [0-9a-f]{12}; give the same model, or quantize without the plan\n$", other.Messages);
    }

    [Fact]
    public void Run_FilesThatDoNotFit_AreSaidInOneLine()
    {
        string recipe = Recipe("wrong.yaml", "  overrides: [{layers: layer9.*, weights: int4}]\n"), unknown = Recipe("unknown.yaml", "  weigths: int4\n"), blocks = Recipe("blocks.yaml", "  mode: weight-only\n");
        Assert.StartsWith($"{demo.Model}: the model has no node 'layer9.*' to override; the closest are 'layer", RunResult.Of(Command("--recipe", recipe, "-o", demo["never.onnx"])).ErrorLine(), StringComparison.Ordinal);
        Assert.StartsWith($"{unknown} line 3: quantization.weigths is unknown here; did you mean 'weights'?", RunResult.Of(Command("--recipe", unknown, "-o", demo["never.onnx"])).ErrorLine(), StringComparison.Ordinal);
        Assert.Equal("--recipe and --from-plan both state the settings; leave one of them out", RunResult.Of(Command("--recipe", recipe, "--from-plan", "x.json")).ErrorLine());
        Assert.Equal($"{demo["none.json"]}: there is no such plan", RunResult.Of(Command("--from-plan", demo["none.json"])).ErrorLine());
        Assert.Equal("--plan is for --mode static, and the mode is weight-only; leave it out", RunResult.Of("quantize", demo.Model, "--recipe", blocks, "--plan", demo["p.json"], "-o", demo["never.onnx"]).ErrorLine());
        Assert.Equal($"{recipe}: is there already; give --overwrite, or another file with -o", RunResult.Of(Command("--save-recipe", recipe, "-o", demo["never.onnx"])).ErrorLine());
    }

    /// <summary>The recipes that ship with the project run as they are, but for fewer samples and steps.</summary>
    [Fact]
    public void Run_SampleRecipes_WriteModels()
    {
        string[] samples = [.. Directory.GetFiles(Samples(), "quantize-*.yaml")];
        Assert.InRange(samples.Length, 3, 100);
        foreach (string sample in samples)
        {
            bool learns = QuantizationRecipe.Read(sample).Options.Method != RoundingMethod.Nearest;
            RunResult run = RunResult.Of(Command(["--recipe", sample, "-o", demo["sample.onnx"], "--overwrite", .. learns ? ["--iterations", "2"] : Array.Empty<string>()]));
            Assert.True(run.Code == 0, run.Messages);
            Assert.DoesNotContain("has no effect", run.Output, StringComparison.Ordinal);
        }
    }

    private static string Samples([System.Runtime.CompilerServices.CallerFilePath] string here = "") => Path.Combine(Path.GetDirectoryName(here)!, "../../../samples/Recipes");
}
