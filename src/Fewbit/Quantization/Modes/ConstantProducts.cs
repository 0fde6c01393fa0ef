using Fewbit.Graphs;
using Fewbit.Tensors;

namespace Fewbit.Quantization;

/// <summary>A MatMul or Gemm whose weight is constant.</summary>
/// <param name="Node">The node.</param>
/// <param name="Input">What is multiplied by the weight.</param>
/// <param name="WeightName">Name of the weight.</param>
/// <param name="Weight">[K, N], whatever the node's own order.</param>
/// <param name="Bias">What is added to the product; null for none.</param>
/// <param name="IsTransposed">Whether the node's own weight is [N, K].</param>
internal sealed record ConstantProduct(Node Node, Value Input, string WeightName, Tensor Weight, Value? Bias, bool IsTransposed)
{
    /// <summary>Name of the node.</summary>
    public string Name { get; } = Node.Name;
}

/// <summary>The matrix products of a graph that can be quantized without any data, and why not the others.</summary>
internal sealed class ConstantProducts
{
    // Layers with weights that somebody may have hoped for; other nodes are float because nobody asks for anything else.
    private static readonly HashSet<string> s_layers = new(StringComparer.Ordinal) { "Conv", "ConvTranspose", "DeformConv", "Einsum", "LSTM", "GRU", "RNN" };
    private readonly Graph _original;
    private readonly IReadOnlyDictionary<string, string> _changes;
    private readonly HashSet<string> _excluded;

    /// <exception cref="InvalidDataException">The model is quantized already, or has no such product.</exception>
    /// <exception cref="ArgumentException">An excluded name is unknown.</exception>
    public ConstantProducts(Graph original, IReadOnlyCollection<string> exclude)
    {
        ModelCheck.Check(original);
        ModelCheck.CheckExclusions(original, exclude);
        (_original, _excluded) = (original, exclude.ToHashSet(StringComparer.Ordinal));
        Prepared = Preparation.Prepare(original, out _changes);
        Found = [.. Prepared.Nodes.Where(node => WhyNot(node) is null).Select(Read)];
        if (Found.Count == 0) throw new InvalidDataException(Refusal());
        foreach (ConstantProduct product in Found) WeightQuantizer.CheckFinite(product.Node);
    }

    /// <summary>A prepared copy of the model, to be changed.</summary>
    public Graph Prepared { get; }

    /// <summary>The products, in the order of the graph.</summary>
    public IReadOnlyList<ConstantProduct> Found { get; }

    /// <summary>Puts nodes in the place of a product's node; what they compute takes the place of its result.</summary>
    /// <param name="product">The product; its node is removed.</param>
    /// <param name="build">Inserts nodes with the function that it is given (domain, operator, name, inputs, attributes) and returns the product without bias.</param>
    public void Replace(ConstantProduct product, Func<NodeInserter, Value> build)
    {
        Value output = product.Node.Outputs[0];
        int index = Prepared.IndexOf(product.Node);
        string name = product.Node.Name;
        Prepared.Remove(product.Node);
        var inserter = new NodeInserter(Prepared, index, name);
        Value result = build(inserter);
        if (product.Bias is not null) result = inserter.Add("", "Add", "bias", [result, product.Bias]);
        Node last = result.Producer!;
        // The old value stays, with its name and readers, as the result of the last node.
        last.ReplaceOutputAt(last.Outputs.ToList().IndexOf(result), output);
    }

    /// <summary>Every node of the original model.</summary>
    /// <param name="requested">What is asked for, for products.</param>
    /// <param name="applied">What the file holds.</param>
    /// <param name="outcome">What became of the products.</param>
    public IReadOnlyList<NodeReport> Report(string requested, string applied, NodeOutcome outcome)
    {
        var done = Found.Select(product => product.Node.Name).ToHashSet(StringComparer.Ordinal);
        var kept = Prepared.Nodes.Where(node => !done.Contains(node.Name)).GroupBy(node => node.Name).ToDictionary(group => group.Key, group => group.First(), StringComparer.Ordinal);
        return [.. _original.Nodes.Select(node => done.Contains(node.Name) ? new(node.Name, node.OpType, requested, applied, outcome, "")
            : kept.TryGetValue(node.Name, out Node? left) ? Left(left, requested)
            : new NodeReport(node.Name, node.OpType, "", "", NodeOutcome.Merged, _changes.GetValueOrDefault(node.Name, "computed ahead or removed")))];
    }

    private NodeReport Left(Node node, string requested)
    {
        if (!node.Outputs.Any(output => output.Type.IsFloat())) return new(node.Name, node.OpType, "", "", NodeOutcome.NotNumeric, "computes no real numbers");
        if (!node.Is("MatMul") && !node.Is("Gemm") && !s_layers.Contains(node.OpType)) return new(node.Name, node.OpType, "float", "float", NodeOutcome.Float, "");
        return new(node.Name, node.OpType, _excluded.Contains(node.Name) ? "float" : requested, "float", NodeOutcome.Float, WhyNot(node)!);
    }

    private string? WhyNot(Node node)
    {
        if (_excluded.Contains(node.Name)) return "excluded";
        if (!node.Is("MatMul") && !node.Is("Gemm")) return "only MatMul and Gemm have such a form";
        if (node.Input(1) is not { IsConstant: true, Constant: { Type: ElementType.Float32 } weight }) return node.Input(0)?.Constant is null ? "both operands are computed" : "its first operand is constant";
        if (node.Input(0)!.Constant is not null) return "both operands are constant";
        if (weight.Rank != 2) return $"its weight has shape {weight.Shape}, expected two dimensions";
        if (weight.ElementCount == 0) return "its weight is empty";
        if (node.Is("MatMul")) return node.Input(0)!.Type == ElementType.Float32 ? null : "reads other numbers than float32";
        if (node.Int("transA", 0) != 0) return "it transposes its input";
        return node.Float("alpha", 1) == 1 && (node.Input(2) is null || node.Float("beta", 1) == 1) ? null : "alpha or beta is not 1";
    }

    private string Refusal()
    {
        Node? product = Prepared.Nodes.FirstOrDefault(node => node.Is("MatMul") || node.Is("Gemm"));
        return product is null ? "the model has no MatMul or Gemm: there is nothing to quantize without data; static quantization takes Conv too, and float16 any model"
            : $"no MatMul or Gemm can be quantized: {product}: {WhyNot(product)}";
    }

    private static ConstantProduct Read(Node node)
    {
        bool isTransposed = node.Is("Gemm") && node.Int("transB", 0) != 0;
        Tensor weight = node.Inputs[1]!.Constant!;
        return new(node, node.Inputs[0]!, node.Inputs[1]!.Name, isTransposed ? Transposed(weight) : weight, node.Is("Gemm") ? node.Input(2) : null, isTransposed);
    }

    private static Tensor Transposed(Tensor matrix)
    {
        (int rows, int columns) = ((int)matrix.Shape[0], (int)matrix.Shape[1]);
        Tensor result = Tensor.AllocateUninitialized(ElementType.Float32, [columns, rows]);
        ReadOnlySpan<float> source = matrix.Span<float>();
        Span<float> target = result.Span<float>();
        for (int row = 0; row < rows; row++)
        {
            for (int column = 0; column < columns; column++) target[column * rows + row] = source[row * columns + column];
        }
        return result;
    }
}
