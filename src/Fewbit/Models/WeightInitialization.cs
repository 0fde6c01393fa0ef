using Fewbit.Graphs;
using Fewbit.Tensors;

namespace Fewbit.Models;

/// <summary>How random weights are drawn.</summary>
public enum InitializationScheme
{
    /// <summary>By fan-in, so that activations keep their size.</summary>
    He,

    /// <summary>Normal with deviation 0.02; the last products of attention and perceptron 0.02 / sqrt(2 layers), since their outputs add up.</summary>
    Gpt2,
}

/// <summary>Fills the weights that layers left at zero with random numbers that keep activations at their size through depth.</summary>
/// <remarks>
/// Convolutions and matrix products: normal with variance 2 / fan-in (He et al., "Delving Deep into Rectifiers", 2015, arXiv:1502.01852).
/// LSTM: uniform in ±1/sqrt(width), as PyTorch. Embeddings: standard normal. Other weights of two and more dimensions (positions, class token): normal, deviation 0.02.
/// Vectors (scales, biases, statistics) stay as the layer made them.
/// <see cref="InitializationScheme.Gpt2"/>: Radford et al., "Language Models are Unsupervised Multitask Learners", 2019, section 2.3.
/// </remarks>
public static class WeightInitialization
{
    private const double OtherDeviation = 0.02;
    private const string AttentionProjection = ".attn.proj.weight";

    /// <summary>Draws every constant of two and more dimensions that is all zero; the same seed gives the same weights.</summary>
    public static void Apply(Graph graph, long seed, InitializationScheme scheme = InitializationScheme.He)
    {
        int layers = graph.Constants.Count(constant => constant.Name.EndsWith(AttentionProjection, StringComparison.Ordinal));
        var random = new SeededRandom((ulong)seed);
        foreach (Node node in graph.Nodes)
        {
            foreach ((int index, Value? input) in node.Inputs.Index())
            {
                if (input is { Constant: { Type: ElementType.Float32, Rank: >= 2 } old } && !old.Span<float>().ContainsAnyExcept(0f))
                    input.SetConstant(scheme == InitializationScheme.Gpt2 ? Normal(old.Shape, Gpt2Deviation(input.Name, layers), ref random) : Draw(node, index, old.Shape, ref random));
            }
        }
    }

    private static Tensor Draw(Node node, int index, Shape shape, ref SeededRandom random)
    {
        if (node.OpType != "LSTM") return Normal(shape, Deviation(node, index, shape), ref random);
        Tensor weight = Tensor.AllocateUninitialized(ElementType.Float32, shape);
        double bound = 1 / Math.Sqrt(node.Int("hidden_size"));
        foreach (ref float value in weight.Span<float>()) value = (float)(bound * (2 * random.NextDouble() - 1));
        return weight;
    }

    private static Tensor Normal(Shape shape, double deviation, ref SeededRandom random)
    {
        Tensor weight = Tensor.AllocateUninitialized(ElementType.Float32, shape);
        foreach (ref float value in weight.Span<float>()) value = (float)(deviation * random.NextNormal());
        return weight;
    }

    private static double Gpt2Deviation(string name, int layers) =>
        name.EndsWith(AttentionProjection, StringComparison.Ordinal) || name.EndsWith(".mlp.fc2.weight", StringComparison.Ordinal) ? OtherDeviation / Math.Sqrt(2 * layers) : OtherDeviation;

    private static double Deviation(Node node, int index, Shape shape) => node.OpType switch
    {
        "Conv" when index == 1 => He(shape.CountOf(1, shape.Rank)),
        "Gemm" when index == 1 => He(shape[node.Int("transB", 0) != 0 ? 1 : 0]),
        "MatMul" when index == 1 => He(shape[shape.Rank - 2]),
        "Gather" when index == 0 => 1,
        _ => OtherDeviation,
    };

    private static double He(long fanIn) => Math.Sqrt(2.0 / fanIn);
}
