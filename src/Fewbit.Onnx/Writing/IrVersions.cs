using Fewbit.Graphs;
using Fewbit.Tensors;

namespace Fewbit.Onnx.Writing;

/// <summary>The version of the file format that a graph needs.</summary>
internal static class IrVersions
{
    // Version 4 is the first in which an initializer need not be a graph input.
    private const int Oldest = 4;

    /// <summary>The first version with functions of the model.</summary>
    public const int WithFunctions = 8;

    /// <summary>The lowest version that came with the opset and holds the element types.</summary>
    public static int Lowest(Graph graph) => Math.Max(OfOpset(graph.OpsetVersion("")), Types(graph).Select(OfType).DefaultIfEmpty(Oldest).Max());

    private static IEnumerable<ElementType> Types(Graph graph) =>
        graph.Values.Select(value => value.Type).Concat(graph.Nodes.SelectMany(node => node.Subgraphs()).SelectMany(Types));

    private static int OfOpset(int opset) => opset switch
    {
        <= 9 => Oldest,
        10 => 5,
        11 => 6,
        <= 14 => 7,
        <= 18 => 8,
        <= 20 => 9,
        <= 22 => 10,
        23 => 11,
        24 => 12,
        _ => 13,
    };

    private static int OfType(ElementType type) => type switch
    {
        ElementType.UInt2 or ElementType.Int2 => 13,
        ElementType.Float8E8M0 => 12,
        ElementType.Float4E2M1 => 11,
        ElementType.UInt4 or ElementType.Int4 => 10,
        >= ElementType.Float8E4M3FN and <= ElementType.Float8E5M2FNUZ => 9,
        _ => Oldest,
    };
}
