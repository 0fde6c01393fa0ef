using Fewbit.Data;
using Fewbit.Evaluation;
using Fewbit.Graphs;
using Fewbit.Models;
using Fewbit.Runtime;
using Fewbit.Tensors;
using Fewbit.Testing;
using Fewbit.Tests.Models;
using Fewbit.Weights;

namespace Fewbit.Tests.Weights;

[Collection(LargeNetworks.Name)]
public sealed class WeightLoaderTests
{
    /// <summary>The accuracies that PyTorch measured on the same files (the README of the data).</summary>
    [DataTheory("cifar10/models/resnet20.safetensors", "cifar10/models/resnet56.safetensors", "cifar10/test_jpeg_10000.bin", "cifar10/test_lossless_846.bin")]
    [InlineData("resnet20", "test_jpeg_10000.bin", 0.8103)]
    [InlineData("resnet20", "test_lossless_846.bin", 0.9173)]
    [InlineData("resnet56", "test_jpeg_10000.bin", 0.8320)]
    public void Load_PretrainedResNet_HasItsAccuracy(string name, string test, double expected)
    {
        Graph graph = ReferenceModels.Find(name).Create();
        string path = Oracles.Data($"cifar10/models/{name}.safetensors");

        WeightLoader.Load(graph, WeightFile.Read(path), path);

        using ModelRunner runner = ModelRunner.From(graph);
        var scores = new PairedClassification();
        foreach (SampleBatch batch in new SampleBatches(DataSetReader.Open(Oracles.Data($"cifar10/{test}")), runner.Inputs, Preprocessing.Cifar10, new() { BatchSize = 250 }))
        {
            Tensor logits = runner.Run(batch.Inputs)["logits"];
            scores.Add(logits, logits, batch.Count, batch.Labels);
        }
        Assert.Equal(expected, scores.Result.ReferenceTop1, 4);
    }

    [Theory]
    [InlineData("resnet20")]
    [InlineData("mobilenetv2")]
    [InlineData("vit-tiny")]
    [InlineData("lstm-tied")]
    public void Load_EveryWeightOfAModel_SetsEveryParameterAndStatistic(string name)
    {
        ReferenceModel model = ReferenceModels.Find(name);
        ReferenceModelOptions options = new() { Classes = 10, InputSize = model.TakesTokens ? 12 : 32 };
        Graph graph = model.Create(options);
        Dictionary<string, Tensor> weights = WeightLoader.WeightsOf(graph).ToDictionary(pair => pair.Key, pair => Tensor.Allocate(ElementType.Float32, pair.Value.Shape), StringComparer.Ordinal);

        Assert.Equal(weights.Count, WeightLoader.Load(graph, weights));

        Assert.All(WeightLoader.WeightsOf(graph).Values, weight => Assert.False(weight.Span<float>().ContainsAnyExcept(0f)));
        long statistics = graph.Nodes.Where(node => node.Is("BatchNormalization")).Sum(node => 2 * node.Inputs[3]!.Constant!.ElementCount);
        Assert.Equal(model.Count(options).Parameters + statistics, weights.Values.Sum(weight => weight.ElementCount));
    }

    [Fact]
    public void Load_OtherTypes_ConvertsThem()
    {
        Graph graph = Small();

        WeightLoader.Load(graph, new Dictionary<string, Tensor>
        {
            ["a.weight"] = Tensor.From([(BFloat16)1.5f, (BFloat16)(-2f)], [1, 2]), ["a.bias"] = Tensor.From((Half)0.25f), ["a.num_batches_tracked"] = Tensor.Scalar(7L),
        });

        Assert.Equal([1.5f, -2f], graph.Find("a.weight")!.Constant!.Span<float>().ToArray());
        Assert.Equal([0.25f], graph.Find("a.bias")!.Constant!.Span<float>().ToArray());
    }

    [Fact]
    public void Load_WhatDoesNotFit_ListsItAllAndSetsNothing()
    {
        Graph graph = Small();
        Dictionary<string, Tensor> weights = new() { ["a.weight"] = Tensor.From([1f, 2], [2, 1]), ["b.bias"] = Tensor.From(1f), ["steps"] = Tensor.From(1L) };

        Assert.Equal("w.pth: does not fit 'small' of 2 weights: 1 missing (a.bias); 2 unexpected (b.bias, steps); 1 of another type or shape (a.weight: float32 [2, 1], expected float32 [1, 2])", Message(graph, weights));
        Assert.Equal([0f, 0], graph.Find("a.weight")!.Constant!.Span<float>().ToArray());
        Assert.EndsWith("; the names in the file have the prefix 'net.'", Message(graph, new() { ["net.a.weight"] = Tensor.From([1f, 2], [1, 2]), ["net.a.bias"] = Tensor.From(1f) }), StringComparison.Ordinal);
        Assert.EndsWith("; the numbers are the same: match by order if the layers are in the same order", Message(graph, new() { ["1"] = Tensor.From([1f, 2], [1, 2]), ["2"] = Tensor.From(1f) }), StringComparison.Ordinal);
    }

    [Fact]
    public void Load_PrefixPartialAndOrder_MatchAsAsked()
    {
        Graph graph = Small();
        Tensor weight = Tensor.From([1f, 2], [1, 2]), bias = Tensor.From(3f);

        Assert.Equal(2, WeightLoader.Load(graph, new Dictionary<string, Tensor> { ["net.a.weight"] = weight, ["net.a.bias"] = bias, ["head.w"] = bias }, options: new() { Prefix = "net." }));
        Assert.Equal(1, WeightLoader.Load(graph, new Dictionary<string, Tensor> { ["a.bias"] = Tensor.From(4f), ["b"] = bias }, options: new() { IsPartial = true }));
        Assert.Equal((1f, 4f), (graph.Find("a.weight")!.Constant!.Span<float>()[0], graph.Find("a.bias")!.Constant!.Item<float>()));
        Assert.Equal(2, WeightLoader.Load(graph, new Dictionary<string, Tensor> { ["x"] = Tensor.From([5f, 6], [1, 2]), ["n.num_batches_tracked"] = Tensor.From(1L), ["y"] = bias }, options: new() { Matching = WeightMatching.ByOrder }));
        Assert.Equal((5f, 3f), (graph.Find("a.weight")!.Constant!.Span<float>()[0], graph.Find("a.bias")!.Constant!.Item<float>()));
        Assert.Equal("w.pth: does not fit 'small' by order: tensor 0, 'y', is float32 [1], weight 0, 'a.weight', is float32 [1, 2]",
            Message(graph, new() { ["y"] = bias, ["x"] = weight }, new() { Matching = WeightMatching.ByOrder }));
        Assert.Equal("w.pth: does not fit 'small' by order: it has 1 tensors, the graph 2 weights", Message(graph, new() { ["x"] = weight }, new() { Matching = WeightMatching.ByOrder }));
    }

    private static string Message(Graph graph, Dictionary<string, Tensor> weights, WeightLoaderOptions? options = null) =>
        Assert.Throws<InvalidDataException>(() => WeightLoader.Load(graph, weights, "w.pth", options)).Message;

    private static Graph Small()
    {
        var graph = new Graph("small");
        graph.AddInput("x", ElementType.Float32, ["N", 2]).Linear("a", 1).Returns("y");
        return graph;
    }
}
