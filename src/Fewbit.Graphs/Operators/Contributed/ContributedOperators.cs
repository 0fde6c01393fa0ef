using Fewbit.Graphs.Operators.Contributed;
using Fewbit.Graphs.Operators.Elementwise;

namespace Fewbit.Graphs.Operators;

/// <summary>Float operators of ONNX Runtime (com.microsoft) that optimized and quantized models use.</summary>
internal static class ContributedOperators
{
    public static void Register(OperatorRegistry registry)
    {
        Add(registry, "FusedConv", Activated.ParseConv);
        Add(registry, "FusedGemm", Activated.ParseGemm);
        Add(registry, "Gelu", _ => new Unary<GeluFunction>(new()));
        Add(registry, "QuickGelu", node => new Unary<SwishFunction>(new(node.Float("alpha", 1.702f))));
        Add(registry, "BiasGelu", _ => new BiasedFunction<GeluFunction>(new(), LeastInputs: 2));
        Add(registry, "FastGelu", _ => new BiasedFunction<TanhGeluFunction>(new(), LeastInputs: 1));
        Add(registry, "SkipLayerNormalization", node => SkipNormalization.Parse(node, isCentred: true));
        Add(registry, "SkipSimplifiedLayerNormalization", node => SkipNormalization.Parse(node, isCentred: false));
        registry.Add("SimplifiedLayerNormalization", node => LayerNormalization.Parse(node, isCentred: false));
        Add(registry, "MatMulNBits", MatMulNBits.Parse);
        Add(registry, "DynamicQuantizeMatMul", _ => new DynamicQuantizeMatMul());
        Add(registry, "RotaryEmbedding", RotaryEmbedding.ParseContributed);
        Add(registry, "MultiHeadAttention", MultiHeadAttention.Parse);
        Add(registry, "GroupQueryAttention", GroupQueryAttention.Parse);
    }

    private static void Add(OperatorRegistry registry, string opType, Func<Node, IOperator> parse) => registry.Add(opType, parse, OperatorTable.MicrosoftDomain);
}
