using System.Globalization;
using Fewbit.Graphs;
using Fewbit.Tensors;

namespace Fewbit.Targets;

/// <summary>A release of ONNX Runtime, and what files it loads.</summary>
/// <param name="Minor">The release 1.Minor.</param>
/// <param name="MaxOpset">The last opset of the standard operators that it loads.</param>
/// <param name="MaxIrVersion">The last version of the file format that it loads.</param>
public sealed record RuntimeVersion(int Minor, int MaxOpset, int MaxIrVersion)
{
    private const string Prefix = "ort-1.";

    /// <summary>The releases that are known, the oldest first.</summary>
    /// <remarks>Read off the releases themselves (npm's onnxruntime-node; 1.19 and 1.28 between their neighbours), by models of each opset and each version of the format.</remarks>
    public static IReadOnlyList<RuntimeVersion> All { get; } =
    [
        new(17, 20, 9), new(18, 21, 10), new(19, 21, 10), new(20, 21, 10), new(21, 22, 10), new(22, 22, 10), new(23, 23, 11),
        new(24, 25, 13), new(25, 26, 13), new(26, 26, 13), new(27, 26, 13), new(28, 26, 13), new(29, 26, 13), new(30, 26, 13),
    ];

    /// <summary>The newest release that is known.</summary>
    public static RuntimeVersion Newest => All[^1];

    /// <summary>As users write it: ort-1.17.</summary>
    public string Name => string.Create(CultureInfo.InvariantCulture, $"{Prefix}{Minor}");

    /// <summary>The release of a name, ort-1.17 to ort-1.30.</summary>
    /// <exception cref="ArgumentException">There is no such release.</exception>
    public static RuntimeVersion Parse(string name) => All.FirstOrDefault(version => version.Name == name)
        ?? throw new ArgumentException($"there is no runtime '{name}', expected {All[0].Name} to {Newest.Name}", nameof(name));

    /// <summary>The form of messages: ort-1.17.</summary>
    public override string ToString() => Name;

    /// <summary>The oldest release that loads an opset; null where none does.</summary>
    public static RuntimeVersion? FirstWithOpset(int opset) => All.FirstOrDefault(version => version.MaxOpset >= opset);

    /// <summary>The oldest release whose QuantizeLinear and DequantizeLinear take a type of codes on a CPU; null where none does.</summary>
    public static RuntimeVersion? FirstWith(ElementType codes) => codes == ElementType.Float4E2M1 ? null : FirstWithOpset(Opsets.FirstWith(codes));

    /// <summary>Why this release does not load a model, with what would help; null where it does.</summary>
    public string? WhyNot(Graph model)
    {
        int opset = model.OpsetVersion("");
        foreach (Node node in model.Nodes.Where(node => node.OpType is "QuantizeLinear" or "DequantizeLinear"))
        {
            if (Codes(node) is { } type && WhyNot(type) is { } reason) return $"{node}: {reason}";
        }
        if (opset > MaxOpset) return $"the model states opset {opset}, and {Name} loads opsets up to {MaxOpset}: {Instead(FirstWithOpset(opset))}";
        return null;
    }

    /// <summary>Why this release has no quantizer of such codes; null where it has.</summary>
    public string? WhyNot(ElementType codes)
    {
        if (FirstWith(codes) is not { } first) return $"{codes.Name()} codes have no kernel on a CPU in any release of ONNX Runtime up to {Newest.Name}";
        return first.Minor <= Minor ? null : $"{codes.Name()} codes need opset {Opsets.FirstWith(codes)}, and {Name} loads opsets up to {MaxOpset}: {Instead(first)}, or take int8 codes";
    }

    private static string Instead(RuntimeVersion? first) => first is null ? $"no release up to {Newest.Name} does" : $"name --runtime {first.Name} or later";

    private static ElementType? Codes(Node node) => (node.OpType == "QuantizeLinear" ? node.Outputs[0] : node.Inputs[0])?.Type is { } type and not ElementType.Undefined ? type : null;
}
