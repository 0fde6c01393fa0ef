using Fewbit.Graphs;
using Fewbit.Graphs.Operators.Quantized;
using Fewbit.Graphs.Passes.Quantized;
using Fewbit.Tensors;

namespace Fewbit.Targets;

/// <summary>A layer whose products may saturate on an x64 CPU without VNNI.</summary>
/// <param name="Node">Its name.</param>
/// <param name="OpType">Its operator.</param>
/// <param name="MaxPairSum">Largest |w₀·x₀ + w₁·x₁| that two of its weights and two codes of its input can give.</param>
public sealed record SaturationRisk(string Node, string OpType, int MaxPairSum);

/// <summary>Finds layers whose sums of two products may leave 16 bits.</summary>
/// <remarks>
/// Without VNNI the kernels of ONNX Runtime multiply unsigned by signed bytes and add neighbouring products with saturation (vpmaddubsw). Which products are
/// neighbours is the kernel's affair, so any two weights of one output channel are taken for such: what is not found cannot saturate.
/// </remarks>
public static class Saturation
{
    /// <summary>The largest sum that 16 bits hold.</summary>
    public const int Limit = short.MaxValue;

    /// <summary>What to do about it.</summary>
    public const string Remedy = "the target ort-x64-no-vnni writes weights of 7 bits; or set session.x64quantprecision=1 in the runtime, which is slower";

    /// <summary>The layers of a quantized model whose sums may exceed <see cref="Limit"/>, in its order.</summary>
    public static IReadOnlyList<SaturationRisk> Find(Graph model) =>
        [.. WeightedLayer.Find(model).Select(layer => new SaturationRisk(layer.Node.Name, layer.Node.OpType, MaxPairSum(layer))).Where(risk => risk.MaxPairSum > Limit)];

    /// <summary>0 where the kernels do not multiply unsigned by signed bytes.</summary>
    internal static int MaxPairSum(WeightedLayer layer)
    {
        if (layer.Input is not { } input || layer.IsQuantizedInGraph || layer.Weight.CodeType() != ElementType.Int8 || input.CodeType() is not (ElementType.UInt8 or ElementType.Int8)) return 0;
        int largest = 0;
        foreach (int[] codes in layer.CodesByChannel()) largest = Math.Max(largest, LargestPair(codes));
        return LargestInput(input) * largest;
    }

    /// <summary>The largest sum of two codes of one sign, as a magnitude.</summary>
    private static int LargestPair(ReadOnlySpan<int> codes)
    {
        (int first, int second) highest = default, lowest = default;
        foreach (int code in codes)
        {
            highest = Insert(highest, code);
            lowest = Insert(lowest, -code);
        }
        return Math.Max(highest.first + highest.second, lowest.first + lowest.second);
    }

    private static (int First, int Second) Insert((int First, int Second) pair, int code) =>
        code > pair.First ? (code, pair.First) : code > pair.Second ? (pair.First, code) : pair;

    /// <summary>The largest code as the kernel sees it, unsigned: int8 codes are moved up by 128 on load.</summary>
    private static int LargestInput(Node dequantizer)
    {
        int shift = dequantizer.CodeType() == ElementType.Int8 ? 128 : 0;
        return dequantizer.Inputs[0]!.Producer is { } clip && clip.Is("Clip") && clip.Input(2) is { IsConstant: true } high ? Codes.Read(high.Constant!)[0] + shift : byte.MaxValue;
    }
}
