using System.Globalization;
using Fewbit.Graphs;
using Fewbit.Models;
using Fewbit.Onnx;
using Fewbit.OnnxRuntime;
using Fewbit.Runtime;
using Fewbit.Tensors;
using Fewbit.Testing;
using Fewbit.Testing.Conformance;

namespace Fewbit.Tests.Models;

/// <summary>Large networks beside which no test that measures the process's memory can run.</summary>
[CollectionDefinition(Name, DisableParallelization = true)]
public sealed class LargeNetworks
{
    public const string Name = "large networks";
}

[Collection(LargeNetworks.Name)]
public class ReferenceModelsTests
{
    private const double Tolerance = 1e-4;

    public static TheoryData<string> Names => [.. ReferenceModels.All.Select(model => model.Name)];

    /// <summary>Small forms of every network: ONNX Runtime agrees, and activations keep a sane size through depth.</summary>
    [RuntimeTheory]
    [MemberData(nameof(Names))]
    public void Create_SmallInput_RunsAsInOnnxRuntime(string name)
    {
        ReferenceModel model = ReferenceModels.Find(name);
        Graph graph = model.Create(new() { Classes = 10, InputSize = model.TakesTokens ? 12 : model.InputSize > 32 ? 64 : 32 });
        using ModelRunner fewbit = ModelRunner.From(graph);
        Dictionary<string, Tensor> inputs = RandomInputs.For(fewbit.Inputs, 1, (_, axis) => axis == 0 ? 2 : 12);
        foreach (ref long id in inputs.TryGetValue("ids", out Tensor? ids) ? ids.Span<long>() : []) id %= 10;
        using OnnxRuntimeSession runtime = OnnxRuntimeSession.Load(OnnxRuntimeLibrary.Open(Oracles.OnnxRuntimeLibrary), OnnxFile.ToBytes(graph), new() { Threads = 1 });
        Tensor expected = runtime.Run(inputs)["logits"], actual = fewbit.Run(inputs)["logits"];
        Assert.InRange(TensorComparison.MaxRelativeError(expected, actual), 0, Tolerance);
        float largest = 0;
        foreach (float score in actual.Span<float>()) largest = Math.Max(largest, Math.Abs(score));
        Assert.InRange(largest, 0.05f, 500f);
    }

    /// <summary>
    /// Published counts. torchvision 0.20: num_params and GFLOPS (multiply-adds, 10^9) of its weights' metadata. timm 1.0: parameters of regnetx_006, deit_tiny and deit_small,
    /// which pycls (0.6 GF) and the DeiT paper (1.3 and 4.6 G) give the work of. CIFAR ResNets: parameters of akamaster/pytorch_resnet_cifar10, as in table 6 of He et al. (0.27 M to 1.7 M);
    /// the work is the sum of their convolutions. Text models: PyTorch's nn.Embedding, nn.LSTM and nn.Linear of these sizes.
    /// </summary>
    [Theory]
    [InlineData("resnet20", 269_722, 0.0406)]
    [InlineData("resnet32", 464_154, 0.0689)]
    [InlineData("resnet44", 658_586, 0.0972)]
    [InlineData("resnet56", 853_018, 0.125)]
    [InlineData("resnet110", 1_727_962, 0.253)]
    [InlineData("resnet-tiny", 41_958, 0.002)]
    [InlineData("resnet18", 11_689_512, 1.814)]
    [InlineData("resnet34", 21_797_672, 3.664)]
    [InlineData("resnet50", 25_557_032, 4.089)]
    [InlineData("mobilenetv2", 3_504_872, 0.301)]
    [InlineData("regnetx-600mf", 6_196_040, 0.6)]
    [InlineData("regnetx-3.2gf", 15_296_552, 3.177)]
    [InlineData("mnasnet1.0", 4_383_312, 0.314)]
    [InlineData("vit-tiny", 5_717_416, 1.3)]
    [InlineData("vit-small", 22_050_664, 4.6)]
    [InlineData("transformer-char", 804_096, 0.0551)]
    [InlineData("lstm-char", 669_265, 0.0653)]
    [InlineData("lstm", 19_780_400, 0.464)]
    [InlineData("lstm-tied", 13_280_400, 0.464)]
    public void Count_PaperSizes_EqualsPublished(string name, long parameters, double billions)
    {
        ModelCost cost = ReferenceModels.Find(name).Count();
        Assert.Equal(parameters, cost.Parameters);
        int decimals = billions.ToString(CultureInfo.InvariantCulture).Split('.')[1].Length;
        Assert.Equal(billions, Math.Round(cost.MultiplyAdds / 1e9, decimals));
    }

    /// <summary>Tokens and positions (K + T) D; a block 12 D² + 13 D; the last normalization 2 D; scores (D + 1) K where they are not tied. Work: 12 D² + 2 T D for each token and block, and the scores.</summary>
    [Theory]
    [InlineData("transformer-decoder", 1000, 256, 12, 384, false)]
    [InlineData("transformer-encoder", 1000, 256, 12, 384, false)]
    [InlineData("transformer", 10_000, 128, 6, 256, false)]
    [InlineData("transformer-tied", 10_000, 128, 6, 256, true)]
    public void Count_Transformer_EqualsItsFormula(string name, long kinds, long tokens, long layers, long width, bool isTied)
    {
        ModelCost cost = ReferenceModels.Find(name).Count();
        Assert.Equal((kinds + tokens) * width + layers * (12 * width * width + 13 * width) + 2 * width + (isTied ? 0 : (width + 1) * kinds), cost.Parameters);
        Assert.Equal(tokens * (layers * (12 * width * width + 2 * tokens * width) + width * kinds), cost.MultiplyAdds);
    }

    [Fact]
    public void Create_SameSeed_GivesTheSameBytes()
    {
        ReferenceModel model = ReferenceModels.Find("resnet20");
        byte[] first = OnnxFile.ToBytes(model.Create(new() { Seed = 3 }));
        Assert.Equal(first, OnnxFile.ToBytes(model.Create(new() { Seed = 3 })));
        Assert.NotEqual(first, OnnxFile.ToBytes(model.Create(new() { Seed = 4 })));
    }

    [Fact]
    public void Create_BatchNormalizations_HaveMeasuredStatistics()
    {
        Graph graph = ReferenceModels.Find("resnet20").Create();
        Node last = graph.Nodes.Last(node => node.Is("BatchNormalization"));
        Assert.True(last.Inputs[3]!.Constant!.Span<float>().ContainsAnyExcept(0f));
        foreach (float variance in last.Inputs[4]!.Constant!.Span<float>()) Assert.InRange(variance, 0.01f, 100f);
    }

    [Theory]
    [InlineData("there is no reference model 'resnet19'; did you mean 'resnet18'?", "resnet19")]
    [InlineData("there is no reference model 'alexnet'; there are resnet20, resnet32, ", "alexnet")]
    public void Find_UnknownName_NamesTheClosest(string expected, string name) =>
        Assert.StartsWith(expected, Assert.Throws<ArgumentException>(() => ReferenceModels.Find(name)).Message, StringComparison.Ordinal);

    [Fact]
    public void Create_SideThatPatchesDoNotDivide_SaysSo() =>
        Assert.StartsWith("model 'vit-tiny' takes pictures whose side is a multiple of 16, but is asked for 100",
            Assert.Throws<ArgumentException>(() => ReferenceModels.Find("vit-tiny").Create(new() { InputSize = 100 })).Message, StringComparison.Ordinal);
}
