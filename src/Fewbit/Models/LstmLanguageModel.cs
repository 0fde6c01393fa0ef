using Fewbit.Graphs;
using Fewbit.Tensors;

namespace Fewbit.Models;

/// <summary>A language model of LSTM layers: token numbers [N, T] to scores [N, T, vocabulary].</summary>
/// <remarks>Zaremba et al., "Recurrent Neural Network Regularization", 2014, arXiv:1409.2329 (the medium size is two layers of 650); tied as in Press and Wolf, 2016, arXiv:1608.05859.</remarks>
internal static class LstmLanguageModel
{
    /// <param name="ids">Token numbers.</param>
    /// <param name="vocabulary">Kinds of tokens.</param>
    /// <param name="layers">LSTM layers.</param>
    /// <param name="width">Length of a state, and of a token's vector.</param>
    /// <param name="isTied">Whether the scores are products with the token vectors themselves.</param>
    public static Value Build(Value ids, int vocabulary, int layers, int width, bool isTied)
    {
        Graph graph = ids.Graph;
        Value x = ids.Embedding("encoder", vocabulary, width);
        Value table = x.Producer!.Inputs[0]!;
        x = x.Transpose(1, 0, 2);
        for (int layer = 0; layer < layers; layer++) x = x.Lstm($"rnn.{layer}", width).Output;
        Value rows = x.Transpose(1, 0, 2).Reshape(-1, width);
        Value bias = graph.AddConstant("decoder.bias", Tensor.Allocate(ElementType.Float32, [vocabulary]));
        Value weight = isTied ? table : rows.Weight("decoder.weight", vocabulary, width);
        Value scores = graph.AddNode("Gemm", [rows, weight, bias], new() { { "transB", 1 } }, name: "decoder").Outputs[0];
        return Unfolded(scores, ids, vocabulary);
    }

    /// <summary>Rows [N * T, vocabulary] as [N, T, vocabulary], N and T read from the token numbers.</summary>
    private static Value Unfolded(Value scores, Value ids, int vocabulary)
    {
        Graph graph = ids.Graph;
        Value shape = graph.AddNode("Shape", [ids], name: "decoder/Shape").Outputs[0].Concat(0, graph.AddConstant("vocabulary", Tensor.From((long)vocabulary)));
        return scores.Apply("Reshape", shape);
    }
}
