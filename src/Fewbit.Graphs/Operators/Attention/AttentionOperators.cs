namespace Fewbit.Graphs.Operators;

/// <summary>Parts of transformers.</summary>
internal static class AttentionOperators
{
    public static void Register(OperatorRegistry registry)
    {
        registry.Add("Attention", Attention.Parse);
        registry.Add("AttentionGradient", AttentionGradient.Parse, OperatorTable.FewbitDomain);
        registry.Add("RotaryEmbedding", RotaryEmbedding.Parse);
        registry.Add("LinearAttention", LinearAttention.Parse);
        registry.Add("TensorScatter", TensorScatter.Parse);
        registry.Add("FlexAttention", FlexAttention.Parse, OperatorTable.PreviewDomain);
    }
}
