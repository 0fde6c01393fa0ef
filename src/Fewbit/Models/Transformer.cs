using Fewbit.Graphs;
using Fewbit.Tensors;

namespace Fewbit.Models;

/// <summary>Sizes of a Transformer.</summary>
/// <param name="Layers">Blocks of attention and perceptron.</param>
/// <param name="Width">Length of a token's vector.</param>
/// <param name="Heads">Heads of attention; they share the width.</param>
internal sealed record TransformerSize(int Layers, int Width, int Heads)
{
    /// <summary>Whether matrix products and normalizations have biases.</summary>
    public bool HasBiases { get; init; } = true;

    /// <summary>Whether the scores are products with the token vectors themselves.</summary>
    public bool IsTied { get; init; }
}

/// <summary>Transformers with normalization before attention and perceptron: a language model over tokens, and a vision Transformer over patches.</summary>
/// <remarks>
/// Vaswani et al., "Attention Is All You Need", 2017, arXiv:1706.03762, in the pre-norm form of GPT-2; Dosovitskiy et al., "An Image is Worth 16x16 Words", 2020,
/// arXiv:2010.11929, in the sizes of Touvron et al. (DeiT), 2020, arXiv:2012.12877. Names as in timm.
/// </remarks>
internal static class Transformer
{
    private const int PerceptronRatio = 4;

    /// <summary>Token numbers [N, T] to scores [N, T, vocabulary].</summary>
    /// <param name="ids">Token numbers; T is fixed, since positions are learned.</param>
    /// <param name="vocabulary">Kinds of tokens.</param>
    /// <param name="size">Sizes.</param>
    /// <param name="isCausal">Whether a token sees only those before it (decoder) or all (encoder).</param>
    public static Value BuildText(Value ids, int vocabulary, TransformerSize size, bool isCausal)
    {
        long tokens = ids.Shape![1].Length;
        Value embedded = ids.Embedding("wte", vocabulary, size.Width);
        Value x = Blocks(embedded + ids.Weight("wpe.weight", tokens, size.Width), size, isCausal ? CausalMask(ids.Graph, tokens) : null);
        if (!size.IsTied) return x.Dense("head", vocabulary);
        Value rows = x.Reshape(-1, size.Width);
        return ids.Graph.AddNode("Gemm", [rows, embedded.Producer!.Inputs[0]], new() { { "transB", 1 } }, name: "head").Outputs[0].Reshape(-1, tokens, vocabulary);
    }

    /// <summary>Pictures to class scores [N, classes], read from a class token.</summary>
    public static Value BuildVision(Value input, int classes, TransformerSize size, int patch)
    {
        long patches = input.Shape![2].Length / patch * (input.Shape[3].Length / patch);
        Value x = input.PatchConv("patch_embed.proj", size.Width, patch).Reshape(0, size.Width, -1).Transpose(0, 2, 1);
        // The class token is put before the patches by padding both with zeros, so that the batch stays free.
        Value token = input.Weight("cls_token", 1, 1, size.Width).Pad([0, 0, 0], [0, patches, 0]);
        x = x.Pad([0, 1, 0], [0, 0, 0]) + (token + input.Weight("pos_embed", 1, patches + 1, size.Width));
        x = Blocks(x, size, mask: null).Slice(1, 0, 1).Reshape(-1, size.Width);
        return x.Linear("head", classes);
    }

    private static Value Blocks(Value x, TransformerSize size, Value? mask)
    {
        for (int layer = 0; layer < size.Layers; layer++)
        {
            string name = $"blocks.{layer}";
            x += Attention(x.LayerNorm($"{name}.norm1", hasBias: size.HasBiases), $"{name}.attn", size, mask);
            Value inner = x.LayerNorm($"{name}.norm2", hasBias: size.HasBiases).Dense($"{name}.mlp.fc1", PerceptronRatio * size.Width, size.HasBiases).Gelu();
            x += inner.Dense($"{name}.mlp.fc2", size.Width, size.HasBiases);
        }
        return x.LayerNorm("norm", hasBias: size.HasBiases);
    }

    /// <summary>softmax(Q Kᵀ / sqrt(d) + mask) V for each head.</summary>
    private static Value Attention(Value x, string name, TransformerSize size, Value? mask)
    {
        int width = size.Width, head = width / size.Heads;
        IReadOnlyList<Value> parts = x.Dense($"{name}.qkv", 3 * width, size.HasBiases).Split(-1, width, width, width);
        Value q = Heads(parts[0]).Transpose(0, 2, 1, 3), k = Heads(parts[1]).Transpose(0, 2, 3, 1), v = Heads(parts[2]).Transpose(0, 2, 1, 3);
        Value scores = q.MatMul(k) * (1 / MathF.Sqrt(head));
        if (mask is not null) scores += mask;
        return scores.Softmax().MatMul(v).Transpose(0, 2, 1, 3).Reshape(0, 0, width).Dense($"{name}.proj", width, size.HasBiases);

        Value Heads(Value part) => part.Reshape(0, 0, size.Heads, head);
    }

    /// <summary>[T, T]: 0 where a token may look, and above the diagonal a number that leaves nothing after the exponential.</summary>
    private static Value CausalMask(Graph graph, long tokens)
    {
        const float Nothing = -1e4f;
        Value all = graph.AddNode("ConstantOfShape", [graph.AddConstant("mask/shape", Tensor.From(tokens, tokens))], new() { { "value", Tensor.From(Nothing) } }, name: "mask").Outputs[0];
        return graph.AddNode("Trilu", [all, graph.AddConstant("mask/diagonal", Tensor.Scalar(1L))], new() { { "upper", 1 } }, name: "mask/Trilu").Outputs[0];
    }
}
