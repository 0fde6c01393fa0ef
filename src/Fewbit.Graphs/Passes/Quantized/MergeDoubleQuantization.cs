using Fewbit.Graphs.Operators.Quantized;
using Fewbit.Tensors;
using Fewbit.Tensors.Kernels;

namespace Fewbit.Graphs.Passes.Quantized;

/// <summary>Merges Q1, DQ1, Q2, DQ2 in a row to one pair over the common part of both ranges.</summary>
internal static class MergeDoubleQuantization
{
    public static bool Apply(Graph graph)
    {
        bool changed = false;
        foreach (Node node in graph.Nodes.ToArray())
        {
            if (!node.IsDequantizer() || Chain.Around(node) is not { } chain || chain.Merged() is not { } merged) continue;
            foreach (Node end in (Node[])[chain.First, chain.Last]) Set(end, merged);
            chain.Last.SetInput(0, chain.First.Outputs[0]);
            graph.Remove(chain.Second);
            graph.Remove(node);
            changed = true;
        }
        return changed;
    }

    private static void Set(Node node, CodeScale quantization)
    {
        if (node.Scale() == quantization.Scale && node.ZeroPoint() == quantization.ZeroPoint) return;
        Graph graph = node.Graph;
        node.SetInput(1, graph.AddConstant(node.Inputs[1]!.Name + "/merged", Tensor.Scalar(quantization.Scale)));
        Tensor zeroPoint = Tensor.Allocate(node.Inputs[2]!.Type, Shape.Scalar);
        Codes.Write([quantization.ZeroPoint], zeroPoint);
        node.SetInput(2, graph.AddConstant(node.Inputs[2]!.Name + "/merged", zeroPoint));
    }

    /// <summary>First quantizer, (dequantizer between), second quantizer, last dequantizer.</summary>
    private sealed record Chain(Node First, Node Second, Node Last)
    {
        public static Chain? Around(Node dequantizer)
        {
            if (dequantizer.Inputs[0]?.Producer is not { } first || !first.IsQuantizer() || !first.Outputs[0].HasOneReader() || !dequantizer.Outputs[0].HasOneReader()) return null;
            Node second = dequantizer.Outputs[0].Uses[0].Node;
            if (!second.IsQuantizer() || !second.Outputs[0].HasOneReader()) return null;
            Node last = second.Outputs[0].Uses[0].Node;
            if (!last.IsDequantizer() || !Qdq.SharesConstants(first, dequantizer) || !Qdq.SharesConstants(second, last)) return null;
            return new(first, second, last);
        }

        /// <summary>One quantization for both; null where the code types differ or are not of 8 or 16 bits.</summary>
        public CodeScale? Merged()
        {
            ElementType type = First.CodeType();
            if (type != Second.CodeType() || type.BitWidth() is not (8 or 16)) return null;
            (float scale1, int zero1, float scale2, int zero2) = (First.Scale(), First.ZeroPoint(), Second.Scale(), Second.ZeroPoint());
            if (zero1 == zero2 && scale1 == scale2) return new(scale1, zero1);
            (int min, int max) = CodeRange.Of(type);
            float low = Math.Max((min - zero1) * scale1, (min - zero2) * scale2), high = Math.Min((max - zero1) * scale1, (max - zero2) * scale2);
            float scale = (high - low) / (max - min);
            return new(scale, (int)MathF.Round(min - low / scale, MidpointRounding.AwayFromZero));
        }
    }
}
