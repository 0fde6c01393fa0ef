using Fewbit.Formats;
using Fewbit.Graphs;
using Fewbit.Onnx;
using Fewbit.Quantization;
using Fewbit.Tests.Data;
using Fewbit.Transforms;

namespace Fewbit.Tests.Quantization;

public sealed class QuantizationPlanTests : IDisposable
{
    private static readonly QuantizationOptions s_learned = new()
    {
        Weights = IntegerFormat.Parse("uint3"), Activations = IntegerFormat.Parse("uint4"), Method = RoundingMethod.QDrop, Learning = new() { Iterations = 12, Seed = 3 },
        Transforms = [new EqualizeLayers(), new CorrectBiases()], Overrides = [new() { Layers = "b", Weights = IntegerFormat.Parse("int5") }],
    };

    private readonly TempFolder _folder = new();

    private string PlanFile => _folder.Path("plan.json");

    public void Dispose() => _folder.Dispose();

    private static Graph Network(int seed = 1)
    {
        Graph graph = SmallGraphs.Create(out Value x, "N", 3, 8, 8);
        x.Conv("a", 8, seed: seed).Named("Relu", "relu").Conv("b", 8, seed: 3).Named("Relu", "relu2").Conv("c", 4, seed: 5).Named("GlobalAveragePool", "pool").Returns();
        return graph;
    }

    private static QuantizationResult Run(Graph graph, QuantizationOptions options, QuantizationPlan? plan = null, int first = 0) =>
        Quantizer.For(graph).Calibrate(Enumerable.Range(first, 10).Select(seed => SmallGraphs.Batch(graph, seed, 4))).Follow(plan).RunAsync(options).GetAwaiter().GetResult();

    [Fact]
    public void Follow_LearnedPlan_GivesTheSameBytesWithoutLearning()
    {
        string path = PlanFile;
        QuantizationResult result = Run(Network(), s_learned);
        result.Plan!.Write(path);
        QuantizationPlan plan = QuantizationPlan.Read(path);
        Assert.True(plan.HasCodes);
        QuantizationResult followed = Run(Network(), plan.Recipe.Options, plan);
        Assert.Equal(OnnxFile.ToBytes(result.Model), OnnxFile.ToBytes(followed.Model));
        Assert.Equal(result.Report.Units, followed.Report.Units);
        Assert.Equal(s_learned.Overrides, plan.Recipe.Options.Overrides);
    }

    [Fact]
    public void Follow_PlanWithoutItsSideFile_LearnsWithTheSameSteps()
    {
        string path = PlanFile;
        // No time at all leaves each unit the one step that it takes at least.
        QuantizationOptions hurried = s_learned with { Learning = s_learned.Learning with { TimeBudget = TimeSpan.FromTicks(1) } };
        QuantizationResult result = Run(Network(), hurried);
        Assert.All(result.Report.Units, unit => Assert.Equal(1, unit.Iterations));
        result.Plan!.Write(path);
        foreach (string side in Directory.GetFiles(Path.GetDirectoryName(path)!, "*.safetensors")) File.Delete(side);
        QuantizationPlan plan = QuantizationPlan.Read(path);
        Assert.False(plan.HasCodes);
        QuantizationResult followed = Run(Network(), hurried, plan);
        Assert.Equal(result.Report.Units.Select(unit => (unit.Key, unit.Iterations)), followed.Report.Units.Select(unit => (unit.Key, unit.Iterations)));
        Assert.Equal(OnnxFile.ToBytes(result.Model), OnnxFile.ToBytes(followed.Model));
    }

    [Fact]
    public void Follow_PlanOfSomethingElse_NamesWhatDiffers()
    {
        string path = PlanFile;
        QuantizationOptions nearest = s_learned with { Method = RoundingMethod.Nearest, Learning = new() };
        QuantizationResult result = Run(Network(), nearest);
        result.Plan!.Write(path);
        QuantizationPlan plan = QuantizationPlan.Read(path);
        Assert.Equal(OnnxFile.ToBytes(result.Model), OnnxFile.ToBytes(Run(Network(), nearest, plan).Model));
        Assert.Matches(@"^.*plan.json: was made with other model: the plan's fingerprint is [0-9a-f]{12}, this one is [0-9a-f]{12}; give the same model, or quantize without the plan$",
            Assert.Throws<InvalidDataException>(() => Run(Network(seed: 2), nearest, plan)).Message);
        Assert.Contains("was made with other data: ", Assert.Throws<InvalidDataException>(() => Run(Network(), nearest, plan, first: 1)).Message, StringComparison.Ordinal);
        Assert.Contains("was made with other options: ", Assert.Throws<InvalidDataException>(() => Run(Network(), nearest with { QuantizeOutputs = true }, plan)).Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("mode: dynamic", "DynamicQuantizeLinear")]
    [InlineData("mode: float16", "Cast")]
    [InlineData("weights: int5", "QuantizeLinear")]
    public async Task ApplyAsync_Recipe_RunsItsMode(string keys, string opType)
    {
        Graph graph = SmallGraphs.Create(out Value x, "N", 8);
        x.Named("MatMul", "a", null, graph.AddConstant("a.weight", SmallGraphs.Random([8, 8], 1))).Named("Relu", "relu").Named("MatMul", "b", null, graph.AddConstant("b.weight", SmallGraphs.Random([8, 8], 2))).Returns();
        QuantizationResult result = await Quantizer.For(graph).Calibrate(Enumerable.Range(0, 10).Select(seed => SmallGraphs.Batch(graph, seed, 4))).ApplyAsync(QuantizationRecipe.Parse($"version: 1\nquantization: {{{keys}}}"));
        Assert.Contains(result.Model.Nodes, node => node.Is(opType));
    }

    [Theory]
    [InlineData("\"iterations\": 12", "\"iterations\": -1", "is a damaged plan: its units are not what learned")]
    [InlineData("\"units\": [", "\"units\": [ null,", "is a damaged plan: its units are not what learned")]
    [InlineData("quantization:", "quantisation:", "quantisation is no section of a recipe; did you mean 'quantization'?")]
    public void Read_DamagedPlan_SaysSo(string part, string changed, string message)
    {
        string path = PlanFile;
        Run(Network(), s_learned).Plan!.Write(path);
        File.WriteAllText(path, File.ReadAllText(path).Replace(part, changed, StringComparison.Ordinal));
        QuantizationPlan plan = QuantizationPlan.Read(path);
        Assert.Contains(message, Assert.Throws<InvalidDataException>(() => _ = (plan.StepsByUnit, plan.Recipe)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Write_StatesEachDecision()
    {
        string path = PlanFile;
        Run(Network(), s_learned).Plan!.Write(path);
        string json = File.ReadAllText(path);
        foreach (string part in (string[])["\"kind\": \"plan\"", "\"rangeOf\": ", "\"zeroPoint\": ", "\"applied\": \"int5 weights, uint4 input", "\"name\": \"equalize layers\"", "\"iterations\": 12", "\"name\": \"correct biases\""])
            Assert.Contains(part, json, StringComparison.Ordinal);
        Assert.Equal($"{path}: is a checkpoint, expected a plan", Assert.Throws<InvalidDataException>(() =>
        {
            File.WriteAllText(path, json.Replace("\"kind\": \"plan\"", "\"kind\": \"checkpoint\"", StringComparison.Ordinal));
            QuantizationPlan.Read(path);
        }).Message);
    }
}
