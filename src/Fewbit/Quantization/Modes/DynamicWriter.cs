using Fewbit.Formats;
using Fewbit.Graphs;
using Fewbit.Tensors;

namespace Fewbit.Quantization;

/// <summary>Writes matrix products in integers whose activations get scale and zero point while the model runs.</summary>
/// <remarks>x to DynamicQuantizeLinear, MatMulInteger with int8 weights, Cast, times (scale of x · scales of the weight), plus bias: the chain that ONNX Runtime fuses.</remarks>
internal sealed class DynamicWriter(Graph original, DynamicOptions options)
{
    // DynamicQuantizeLinear quantizes to uint8.
    private const int LargestActivation = 255;

    public QuantizationResult Write()
    {
        var products = new ConstantProducts(original, options.Exclude);
        Graph graph = products.Prepared, before = graph.Clone();
        var weights = new List<WeightReport>();
        var quantized = new Dictionary<Value, Node>();
        foreach (ConstantProduct product in products.Found)
        {
            var format = new IntegerFormat(options.Weights.BitWidth, IsSigned: true, IsNarrow: true);
            BlockedMatrix matrix = BlockedMatrix.Quantize(product.Weight, (int)product.Weight.Shape[0], format, QuantizationScheme.Symmetric);
            products.Replace(product, nodes => Product(nodes, product, matrix, quantized));
            weights.Add(Report(product, matrix));
        }
        graph.RemoveUnusedValues();
        graph.Sort();
        IReadOnlyList<NodeReport> report = products.Report($"{options.Weights.Name} weights, dynamic uint8 input", $"{options.Weights.Name} weights, dynamic uint8 input, float output", NodeOutcome.Integer);
        string[] warnings = weights.Any(weight => weight.MaxPairSum > short.MaxValue) && options.Weights.BitWidth == 8
            ? ["sums of two products can exceed 16 bits, where CPUs without VNNI saturate: int7 weights cannot"] : [];
        return new(graph, before, new(report, [], weights, Sizes.Of(original, graph), 0, warnings));
    }

    private static Value Product(NodeInserter nodes, ConstantProduct product, BlockedMatrix matrix, Dictionary<Value, Node> quantized)
    {
        Graph graph = product.Input.Graph;
        // All products of one value share its codes.
        if (!quantized.TryGetValue(product.Input, out Node? codes)) quantized[product.Input] = codes = nodes.AddMany("", "DynamicQuantizeLinear", "input", [product.Input], null, 3);
        Value weight = graph.AddConstant(product.WeightName + "_codes", AffineQuantizer.Pack(matrix.Codes, [matrix.Rows, matrix.Columns], ElementType.Int8));
        Value scales = graph.AddConstant(product.WeightName + "_scales", Tensor.From<float>(matrix.Scales));
        Value scale = nodes.Add("", "Mul", "scale", [codes.Outputs[1], scales]);
        Value sum = nodes.Add("", "MatMulInteger", "", [codes.Outputs[0], weight, codes.Outputs[2]]);
        Value real = nodes.Add("", "Cast", "float", [sum], new() { { "to", (long)ElementType.Float32 } });
        return nodes.Add("", "Mul", "product", [real, scale]);
    }

    private WeightReport Report(ConstantProduct product, BlockedMatrix matrix)
    {
        double signal = 0, noise = 0;
        int pair = 0;
        ReadOnlySpan<float> w = product.Weight.Span<float>();
        for (int i = 0; i < w.Length; i++)
        {
            double difference = (double)w[i] - matrix[i / matrix.Columns, i % matrix.Columns];
            (signal, noise) = (signal + (double)w[i] * w[i], noise + difference * difference);
            // Two neighbours along K meet in one 16-bit sum.
            if (i + matrix.Columns < w.Length && i / matrix.Columns % 2 == 0) pair = Math.Max(pair, LargestActivation * Math.Abs(matrix.Codes[i] + matrix.Codes[i + matrix.Columns]));
        }
        int[] zero = [.. Enumerable.Range(0, matrix.Columns).Where(column => Enumerable.Range(0, matrix.Rows).All(row => matrix.Codes[row * matrix.Columns + column] == 0))];
        return new(product.Node.Name, product.WeightName, options.Weights, Granularity.PerChannel(1), w.Length, noise == 0 ? double.PositiveInfinity : 10 * Math.Log10(signal / noise), zero, [], pair);
    }
}
