using Fewbit.Graphs;
using Fewbit.Graphs.Operators.Quantized;
using Fewbit.Graphs.Passes.Quantized;
using Fewbit.Tensors;

namespace Fewbit.Targets;

/// <summary>A layer of a written model whose constant weight is held in codes.</summary>
/// <param name="Node">Conv, ConvTranspose, Gemm or MatMul.</param>
/// <param name="Input">The DequantizeLinear of its input; null where that is float.</param>
/// <param name="Weight">The DequantizeLinear of its weight.</param>
internal sealed record WeightedLayer(Node Node, Node? Input, Node Weight)
{
    /// <summary>The constant of the weight: its codes, or its floats where a QuantizeLinear makes codes of them.</summary>
    public Value Stored => IsQuantizedInGraph ? Weight.Inputs[0]!.Producer!.Inputs[0]! : Weight.Inputs[0]!;

    /// <summary>True where the file holds the float weight and a QuantizeLinear behind it.</summary>
    public bool IsQuantizedInGraph => Weight.Inputs[0] is { Constant: null };

    /// <summary>The dimension of the weight along which output channels lie.</summary>
    public int ChannelAxis => Node.OpType switch
    {
        "Conv" => 0,
        "ConvTranspose" => 1,
        "Gemm" => Node.Int("transB", 0) != 0 ? 0 : 1,
        _ => Stored.Shape!.Rank - 1,
    };

    /// <summary>Number of its output channels.</summary>
    public long Channels => Stored.Constant!.Shape[ChannelAxis];

    /// <summary>The dimension that the weight's scales run along; null where it has one scale.</summary>
    public int? ScaleAxis
    {
        get
        {
            if (Weight.Inputs[1]!.Constant is { ElementCount: 1 }) return null;
            long axis = Weight.Int("axis", 1);
            return (int)(axis < 0 ? axis + Stored.Constant!.Rank : axis);
        }
    }

    /// <summary>The layers of a model, in its order.</summary>
    public static IEnumerable<WeightedLayer> Find(Graph model)
    {
        foreach (Node node in model.Nodes.Where(node => node.Domain.Length == 0 && node.OpType is "Conv" or "ConvTranspose" or "Gemm" or "MatMul"))
        {
            if (Dequantizer(node.Input(1)) is { } weight && (weight.Inputs[0]!.Constant ?? QuantizedConstant(weight)) is not null && weight.Inputs[1] is { Constant: not null })
                yield return new(node, Dequantizer(node.Inputs[0]), weight);
        }
    }

    /// <summary>Code - zero point of each weight, by output channel.</summary>
    public IEnumerable<int[]> CodesByChannel()
    {
        Tensor codes = Weight.Inputs[0]!.Constant!;
        int[] zeroPoints = Weight.Input(2)?.Constant is { } stored ? Codes.Read(stored) : [0];
        int[] all = Codes.Read(codes);
        int channels = (int)Channels, inner = (int)codes.Shape.CountOf(ChannelAxis + 1, codes.Rank), outer = (int)codes.Shape.CountOf(0, ChannelAxis);
        for (int c = 0; c < channels; c++)
        {
            var row = new int[outer * inner];
            int zeroPoint = zeroPoints[zeroPoints.Length == channels ? c : 0];
            for (int o = 0; o < outer; o++)
            {
                for (int i = 0; i < inner; i++) row[o * inner + i] = all[(o * channels + c) * inner + i] - zeroPoint;
            }
            yield return row;
        }
    }

    private static Node? Dequantizer(Value? value) => value?.Producer is { } producer && producer.IsDequantizer() ? producer : null;

    private static Tensor? QuantizedConstant(Node weight) => weight.Inputs[0]!.Producer is { } quantizer && quantizer.IsQuantizer() ? quantizer.Inputs[0]!.Constant : null;
}
