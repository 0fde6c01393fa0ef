using Fewbit.Formats;
using Fewbit.Graphs;
using Fewbit.Graphs.Execution;
using Fewbit.Quantization;
using Fewbit.Reconstruction;
using Fewbit.Tensors;

namespace Fewbit.Tests.Reconstruction;

/// <summary>A residual network of four layers with random weights, correlated inputs, and what reconstructs it.</summary>
internal static class SmallNetwork
{
    public const int Samples = 48;

    public static Graph Create()
    {
        var graph = new Graph();
        var random = new SeededRandom(11);
        Value x = Conv(graph.AddInput("x", ElementType.Float32, [Dim.Unknown, 3, 8, 8]), 16, ref random).Relu();
        x = (Conv(Conv(x, 16, ref random).Relu(), 16, ref random) + x).Relu();
        x.GlobalAveragePool().Flatten().Apply("Gemm", (Attributes?)null, graph.AddConstant("w", Normal([16, 5], 0.3, ref random)), graph.AddConstant("b", Normal([5], 0.1, ref random))).Returns("y");
        return Preparation.Prepare(graph);
    }

    /// <summary>Smooth pictures: neighbours are alike, so that rounding errors add up.</summary>
    public static Dictionary<string, Tensor> Inputs(ulong seed = 5, int samples = Samples)
    {
        var random = new SeededRandom(seed);
        Tensor pictures = Tensor.AllocateUninitialized(ElementType.Float32, [samples, 3, 8, 8]);
        Span<float> pixels = pictures.Span<float>();
        for (int plane = 0; plane < samples * 3; plane++)
        {
            (double level, double slopeX, double slopeY) = (random.NextNormal(), 0.2 * random.NextNormal(), 0.2 * random.NextNormal());
            for (int i = 0; i < 64; i++) pixels[plane * 64 + i] = (float)(level + slopeX * (i % 8 - 3.5) + slopeY * (i / 8 - 3.5) + 0.1 * random.NextNormal());
        }
        return new() { ["x"] = pictures };
    }

    public static QuantizationOptions Options(int weights = 2, int activations = 0) => new()
    {
        Weights = new IntegerFormat(weights, IsSigned: false),
        Activations = activations == 0 ? null : new IntegerFormat(activations, IsSigned: false),
        Placement = QuantizerPlacement.Paper,
    };

    public static Reconstructor Reconstructor(ReconstructionMethod method, int weights = 2, int activations = 0, ReconstructionOptions? limits = null, Graph? prepared = null)
    {
        prepared ??= Create();
        return method.CreateReconstructor(prepared, QuantizerSites.Find(prepared, method.Apply(Options(weights, activations))), limits ?? new());
    }

    /// <summary>Codes of all weights after a method has run, one after the other.</summary>
    public static int[] CodesAfter(ReconstructionMethod method, int weights = 2, int activations = 0, ReconstructionOptions? limits = null) => Codes(Done(method, weights, activations, limits));

    public static Reconstructor Done(ReconstructionMethod method, int weights = 2, int activations = 0, ReconstructionOptions? limits = null)
    {
        Reconstructor reconstructor = Reconstructor(method, weights, activations, limits);
        reconstructor.Run(Inputs());
        return reconstructor;
    }

    public static int[] Codes(Reconstructor reconstructor) => [.. reconstructor.State.Codes.OrderBy(pair => pair.Key, StringComparer.Ordinal).SelectMany(pair => pair.Value.Span<int>().ToArray())];

    public static float[] Steps(Reconstructor reconstructor) => [.. reconstructor.State.Activations.OrderBy(pair => pair.Key, StringComparer.Ordinal).Select(pair => pair.Value.Scale)];

    /// <summary>A method with fewer samples a step than the network has, and a rate and a regularizer with which hundreds of steps decide what thousands do otherwise.</summary>
    public static ReconstructionMethod Small(ReconstructionMethod method) =>
        method with { Passes = [.. method.Passes.Select(pass => pass with { BatchSize = 16, RoundingRate = 0.02, RoundingWeight = 0.05 })] };

    /// <summary>Mean squared difference of the network's output from the float network's.</summary>
    public static double ErrorOf(Reconstructor reconstructor, ulong seed, int samples = Samples)
    {
        Graph prepared = Create();
        QuantizedState state = reconstructor.State;
        Graph simulated = SimulatedGraph.Build(prepared, state.Sites, state.Activations, state.Sites.Weights.ToDictionary(site => site.Node.Name, state.WeightOf, StringComparer.Ordinal));
        float[] expected = Run(prepared, seed, samples), found = Run(simulated, seed, samples);
        return expected.Zip(found).Average(pair => Math.Pow(pair.First - pair.Second, 2));
    }

    private static float[] Run(Graph graph, ulong seed, int samples) => new GraphRunner(graph).Run(Inputs(seed, samples))[graph.Outputs[0].Name].Span<float>().ToArray();

    private static Value Conv(Value x, int channels, ref SeededRandom random)
    {
        Tensor weight = Normal([channels, x.Shape![1].Length, 3, 3], 0.12, ref random), bias = Normal([channels], 0.1, ref random);
        return x.Apply("Conv", new Attributes { { "pads", (long[])[1, 1, 1, 1] } }, x.Graph.AddConstant("w", weight), x.Graph.AddConstant("b", bias));
    }

    public static Tensor Normal(Shape shape, double deviation, ref SeededRandom random)
    {
        Tensor tensor = Tensor.AllocateUninitialized(ElementType.Float32, shape);
        foreach (ref float value in tensor.Span<float>()) value = (float)(deviation * random.NextNormal());
        return tensor;
    }
}
