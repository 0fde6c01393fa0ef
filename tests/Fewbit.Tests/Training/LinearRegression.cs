using Fewbit.Graphs;
using Fewbit.Tensors;
using Fewbit.Training;

namespace Fewbit.Tests.Training;

/// <summary>y = w·x + b on 8 random samples a step: small enough to train by hand in double precision.</summary>
internal static class LinearRegression
{
    public const int Samples = 8, Width = 19; // more than one vector of 16 and a rest

    public static Graph Model()
    {
        var graph = new Graph("line", opset: 20);
        Value x = graph.AddInput("x", ElementType.Float32, ["N", Width]);
        var random = new SeededRandom(5);
        Value weight = graph.AddConstant("weight", Normal([1, Width], ref random)), bias = graph.AddConstant("bias", Normal([1], ref random));
        graph.AddOutput(graph.AddNode("Gemm", [x, weight, bias], new() { { "transB", 1 } }, name: "line").Outputs[0]);
        return graph;
    }

    public static Dictionary<string, Tensor> Batch(int step, int samples = Samples)
    {
        var random = new SeededRandom(1000 + (ulong)step);
        return new() { ["x"] = Normal([samples, Width], ref random), [Trainer.Target] = Normal([samples, 1], ref random) };
    }

    /// <summary>Gradients of the mean squared error by weight, the bias last.</summary>
    public static double[] Gradient(double[] parameters, IReadOnlyDictionary<string, Tensor> batch)
    {
        var gradient = new double[Width + 1];
        ReadOnlySpan<float> x = batch["x"].Span<float>(), target = batch[Trainer.Target].Span<float>();
        int count = target.Length;
        for (int n = 0; n < count; n++)
        {
            double error = parameters[Width] - target[n];
            for (int i = 0; i < Width; i++) error += parameters[i] * x[n * Width + i];
            for (int i = 0; i < Width; i++) gradient[i] += 2 * error * x[n * Width + i] / count;
            gradient[Width] += 2 * error / count;
        }
        return gradient;
    }

    public static double[] Parameters(Graph model) => [.. model.Find("weight")!.Constant!.Span<float>(), .. model.Find("bias")!.Constant!.Span<float>()];

    private static Tensor Normal(Shape shape, ref SeededRandom random)
    {
        Tensor tensor = Tensor.AllocateUninitialized(ElementType.Float32, shape);
        foreach (ref float value in tensor.Span<float>()) value = (float)random.NextNormal();
        return tensor;
    }
}
