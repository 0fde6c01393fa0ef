using Fewbit.Graphs;
using Fewbit.Models;
using Fewbit.Tensors;

namespace TextModel;

/// <summary>A classifier of sentences with two inputs, written with the graph builder: word numbers, and a mask that is 1 where there is a word and 0 where the sentence has ended.</summary>
internal static class SentenceClassifier
{
    public const int Vocabulary = 200, Words = 24;

    private const int Width = 64, Hidden = 256, Classes = 2;

    public static Graph Build()
    {
        var graph = new Graph("sentences", opset: 17);
        Value ids = graph.AddInput("ids", ElementType.Int64, ["N", Words]), mask = graph.AddInput("mask", ElementType.Float32, ["N", Words]);
        Value words = ids.Embedding("embedding", Vocabulary, Width).Dense("word", Hidden).Relu().Dense("meaning", Width);
        // The mean over the words that are there: [N, 1, words] x [N, words, width].
        Value sum = mask.Reshape(-1, 1, Words).MatMul(words).Reshape(-1, Width);
        sum.Linear("hidden", Hidden).Relu().Linear("classifier", Classes).Returns("scores");
        WeightInitialization.Apply(graph, seed: 1);
        return graph;
    }
}
