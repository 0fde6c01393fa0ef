namespace Fewbit.Graphs.Tests.Differentiation;

internal static partial class GradientCases
{
    private static IEnumerable<GradientCase> Sequences
    {
        get
        {
            var angles = new Fixed(X([7, 2]));
            foreach (long interleaved in (long[])[0, 1])
            {
                yield return new("RotaryEmbedding", X([2, 3, 10]), angles, new Fixed(X([7, 2])), Ints([2, 3], 1, 0, 6, 2, 2, 5)) { Note = $"rows, interleaved {interleaved}", Opset = 23, Attributes = new() { { "num_heads", 2 }, { "interleaved", interleaved }, { "rotary_embedding_dim", 4 } } };
                yield return new("RotaryEmbedding", X([2, 2, 3, 4]), new Fixed(X([2, 3, 2])), new Fixed(X([2, 3, 2]))) { Note = $"heads, interleaved {interleaved}", Opset = 23, Attributes = new() { { "interleaved", interleaved } } };
            }
            yield return new("RotaryEmbedding", X([2, 3, 8]), Ints([1], 2), angles, new Fixed(X([7, 2]))) { Domain = Microsoft, Attributes = new() { { "num_heads", 2 } } };
            yield return new("SkipLayerNormalization", X([2, 3, 4]), X([3, 4]), X([4]), X([4]), X([4])) { Domain = Microsoft };
            yield return new("SkipLayerNormalization", X([2, 3, 4]), X([2, 3, 4]), X([4])) { Domain = Microsoft, Note = "no shift" };
            yield return new("SkipSimplifiedLayerNormalization", X([2, 3, 4]), X([2, 3, 4]), X([4]), X([4])) { Domain = Microsoft };
            foreach (string rule in (string[])["linear", "gated", "delta", "gated_delta"])
            {
                object? decay = rule.StartsWith("gated", StringComparison.Ordinal) ? X([2, 3, rule == "gated" ? 2 : 4]) : null;
                object? beta = rule.EndsWith("delta", StringComparison.Ordinal) ? X([2, 3, rule == "delta" ? 1 : 2]) : null, erase = rule == "delta" ? X([2, 3, 4]) : null;
                yield return new("LinearAttention", X([2, 3, 8]), X([2, 3, 4]), X([2, 3, 6]), rule == "linear" ? null : X([2, 2, 2, 3]), decay, beta, erase)
                { Note = rule, Opset = 27, Outputs = 2, Order = rule == "gated_delta" ? 2 : 1, Attributes = new() { { "q_num_heads", 4 }, { "kv_num_heads", 2 }, { "update_rule", rule } } };
            }
            yield return new("TensorScatter", X([2, 2, 5, 3]), X([2, 2, 2, 3]), Ints([2], 3, 0)) { Opset = 24 };
            yield return new("TensorScatter", X([2, 5, 3]), X([2, 2, 3]), Ints([2], 4, 1)) { Opset = 24, Note = "circular", Attributes = new() { { "mode", "circular" } } };
            yield return new("FlexAttention", X([1, 4, 3, 4]), X([1, 2, 5, 4]), X([1, 2, 5, 2])) { Domain = "ai.onnx.preview" };
        }
    }
}
