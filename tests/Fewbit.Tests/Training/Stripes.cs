using Fewbit.Graphs;
using Fewbit.Models;
using Fewbit.Tensors;
using Fewbit.Training;

namespace Fewbit.Tests.Training;

/// <summary>Generated pictures [N, 1, 8, 8] of noisy stripes in four directions: a task that a small network learns in seconds.</summary>
/// <param name="samples">Pictures.</param>
/// <param name="seed">Seed of the pictures and of their order.</param>
/// <param name="batch">Pictures a batch; the last one takes the rest.</param>
internal sealed class Stripes(int samples, int seed, int batch = 32) : ITrainingSource
{
    public const int Classes = 4, Side = 8;

    public string Description => $"{samples} pictures of stripes";
    public string Fingerprint => $"{samples} {seed} {batch}";
    public int StepsPerEpoch => (samples + batch - 1) / batch;

    /// <summary>Two convolutions with batch normalization and a linear layer.</summary>
    public static Graph Model(long seed = 1)
    {
        var graph = new Graph("stripes", opset: 20);
        Value x = graph.AddInput("input", ElementType.Float32, ["N", 1, Side, Side]);
        x = x.Conv("conv1", 8, 3).BatchNorm("bn1").Relu();
        x.Conv("conv2", 16, 3, stride: 2).BatchNorm("bn2").Relu().GlobalAveragePool().Flatten().Linear("linear", Classes).Returns("logits");
        WeightInitialization.Apply(graph, seed);
        return graph;
    }

    public IEnumerable<IReadOnlyDictionary<string, Tensor>> Epoch(int epoch, int first, CancellationToken cancellation)
    {
        var order = Enumerable.Range(0, samples).ToArray();
        var shuffle = new SeededRandom((ulong)(seed * 1000 + epoch));
        shuffle.Shuffle(order.AsSpan());
        foreach (int[] chosen in order.Chunk(batch).Skip(first))
        {
            Tensor pictures = Tensor.AllocateUninitialized(ElementType.Float32, [chosen.Length, 1, Side, Side]);
            for (int row = 0; row < chosen.Length; row++) Draw(chosen[row], pictures.Span<float>().Slice(row * Side * Side, Side * Side));
            yield return new Dictionary<string, Tensor> { ["input"] = pictures, [Trainer.Target] = Tensor.From<long>([.. chosen.Select(index => (long)(index % Classes))]) };
        }
    }

    private void Draw(int index, Span<float> picture)
    {
        var random = new SeededRandom((ulong)(seed * 1_000_003 + index));
        int kind = index % Classes, phase = random.NextInt(4);
        for (int i = 0; i < picture.Length; i++)
        {
            (int y, int x) = (i / Side, i % Side);
            int along = kind switch { 0 => x, 1 => y, 2 => x + y, _ => x - y + Side };
            picture[i] = ((along + phase) / 2 % 2 * 2 - 1) + 0.8f * (float)random.NextNormal();
        }
    }
}
