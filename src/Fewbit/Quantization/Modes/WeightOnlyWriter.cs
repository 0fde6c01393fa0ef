using Fewbit.Formats;
using Fewbit.Graphs;
using Fewbit.Onnx;
using Fewbit.Tensors;

namespace Fewbit.Quantization;

/// <summary>Writes constant matrices as blocks of codes; activations stay float.</summary>
internal sealed class WeightOnlyWriter(Graph original, WeightOnlyOptions options)
{
    private const string Contributed = "com.microsoft";

    // The first opset with blocks; 2-bit types came later.
    private int Opset => options.Weights.BitWidth == 2 ? 25 : 21;

    public QuantizationResult Write()
    {
        var products = new ConstantProducts(original, options.Exclude);
        Graph graph = products.Prepared, before = graph.Clone();
        if (options.Form == WeightOnlyForm.MatMulNBits) graph.Opsets.TryAdd(Contributed, 1);
        else OnnxFile.RaiseOpset(graph, Opset);
        var weights = new List<WeightReport>();
        var written = new Dictionary<(string, bool), BlockConstants>();
        foreach (ConstantProduct product in products.Found)
        {
            BlockedMatrix matrix = BlockedMatrix.Quantize(product.Weight, options.BlockSize, options.Weights, options.EffectiveScheme);
            // A weight that several nodes read is stored once.
            var key = (product.WeightName, product.IsTransposed);
            if (!written.TryGetValue(key, out BlockConstants? constants)) written[key] = constants = Constants(graph, product.WeightName, matrix);
            weights.Add(Report(product, matrix));
            products.Replace(product, nodes => options.Form == WeightOnlyForm.MatMulNBits ? NBits(nodes, product, matrix, constants) : Dequantized(nodes, product, constants));
        }
        graph.RemoveUnusedValues();
        graph.Sort();
        return new(graph, before, new(Nodes(products), [], weights, Sizes.Of(original, graph), 0, [.. Warnings(products)]));
    }

    /// <summary>ONNX Runtime joins a product of matrices with the Add behind it before it looks for blocks, and has no Gemm on codes.</summary>
    private IEnumerable<string> Warnings(ConstantProducts products)
    {
        if (options.Form == WeightOnlyForm.MatMulNBits) yield break;
        string[] names = [.. products.Found.Where(product => product.Bias is not null && product.Input.Shape is { Rank: 2 }).Select(product => $"'{product.Name}'")];
        if (names.Length > 0)
            yield return $"{names.Length} {(names.Length == 1 ? "product has" : "products have")} a bias and an input of two dimensions ({string.Join(", ", names.Take(3))}{(names.Length > 3 ? ", ..." : "")}): ONNX Runtime dequantizes such at load and runs them in float; the form MatMulNBits runs on codes";
    }

    private IReadOnlyList<NodeReport> Nodes(ConstantProducts products)
    {
        string blocks = $"{options.Weights.Name} weights in blocks of {options.BlockSize}";
        return products.Report(blocks, options.Form == WeightOnlyForm.MatMulNBits ? $"{blocks}, MatMulNBits at accuracy level {options.AccuracyLevel}" : $"{blocks}, DequantizeLinear", NodeOutcome.Rounded);
    }

    private BlockConstants Constants(Graph graph, string name, BlockedMatrix matrix)
    {
        if (options.Form == WeightOnlyForm.MatMulNBits)
        {
            Tensor? points = BlockedTensors.NBitsZeroPoints(matrix);
            return new(graph.AddConstant(name + "_codes", BlockedTensors.NBitsCodes(matrix)), graph.AddConstant(name + "_scales", BlockedTensors.NBitsScales(matrix)),
                points is null ? null : graph.AddConstant(name + "_zero_points", points));
        }
        Shape blocks = [matrix.Blocks, matrix.Columns];
        bool isZero = Array.TrueForAll(matrix.ZeroPoints, point => point == 0);
        return new(graph.AddConstant(name + "_codes", BlockedTensors.ForDequantizeLinear(matrix.Codes, [matrix.Rows, matrix.Columns], matrix.Format)),
            graph.AddConstant(name + "_scales", Tensor.From<float>(matrix.Scales, blocks)),
            isZero ? null : graph.AddConstant(name + "_zero_points", BlockedTensors.ForDequantizeLinear(matrix.ZeroPoints, blocks, matrix.Format)));
    }

    private Value Dequantized(NodeInserter nodes, ConstantProduct product, BlockConstants constants)
    {
        // One DequantizeLinear a reader: the runtime fuses only such as have one.
        Value weight = nodes.Add("", "DequantizeLinear", "weight", constants.Inputs, new() { { "axis", 0 }, { "block_size", options.BlockSize } });
        return nodes.Add("", "MatMul", "", [product.Input, weight]);
    }

    private Value NBits(NodeInserter nodes, ConstantProduct product, BlockedMatrix matrix, BlockConstants constants) => nodes.Add(Contributed, "MatMulNBits", "", [product.Input, .. constants.Inputs], new()
    {
        { "K", matrix.Rows }, { "N", matrix.Columns }, { "bits", matrix.Format.BitWidth }, { "block_size", matrix.BlockSize }, { "accuracy_level", options.AccuracyLevel },
    });

    private WeightReport Report(ConstantProduct product, BlockedMatrix matrix)
    {
        double signal = 0, noise = 0;
        ReadOnlySpan<float> w = product.Weight.Span<float>();
        for (int i = 0; i < w.Length; i++)
        {
            double difference = (double)w[i] - matrix[i / matrix.Columns, i % matrix.Columns];
            (signal, noise) = (signal + (double)w[i] * w[i], noise + difference * difference);
        }
        return new(product.Name, product.WeightName, options.Weights, Granularity.PerChannel(1), w.Length, noise == 0 ? double.PositiveInfinity : 10 * Math.Log10(signal / noise), [], [], 0);
    }

    private sealed record BlockConstants(Value Codes, Value Scales, Value? ZeroPoints)
    {
        public IEnumerable<Value?> Inputs => ZeroPoints is null ? [Codes, Scales] : [Codes, Scales, ZeroPoints];
    }
}
