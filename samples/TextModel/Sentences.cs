using Fewbit.Data;
using Fewbit.Tensors;
using Fewbit.Training;

namespace TextModel;

/// <summary>Made-up sentences in place of yours. Some words speak for, others against; the class says which are more.</summary>
internal static class Sentences
{
    private const int BatchSize = 64, Opinions = 40;

    /// <summary>Batches of both inputs with their labels.</summary>
    public static IEnumerable<SampleBatch> Batches(int seed, int count)
    {
        var random = new Random(seed);
        for (int i = 0; i < count; i++)
        {
            Tensor ids = Tensor.Allocate(ElementType.Int64, [BatchSize, SentenceClassifier.Words]), mask = Tensor.Allocate(ElementType.Float32, [BatchSize, SentenceClassifier.Words]);
            int[] labels = [.. Enumerable.Range(0, BatchSize).Select(n => Fill(random, ids.Span<long>().Slice(n * SentenceClassifier.Words, SentenceClassifier.Words), mask.Span<float>().Slice(n * SentenceClassifier.Words, SentenceClassifier.Words)))];
            yield return new(new Dictionary<string, Tensor> { ["ids"] = ids, ["mask"] = mask }, BatchSize, i * BatchSize, labels);
        }
    }

    /// <summary>A batch as the trainer takes it: the inputs and what the model should say.</summary>
    public static Dictionary<string, Tensor> WithTarget(SampleBatch batch) =>
        new(batch.Inputs) { [Trainer.Target] = Tensor.From<long>([.. batch.Labels!.Select(label => (long)label)], [batch.Count]) };

    /// <summary>Writes one sentence and returns its class.</summary>
    private static int Fill(Random random, Span<long> ids, Span<float> mask)
    {
        int length = random.Next(5, SentenceClassifier.Words + 1), balance = 0;
        for (int i = 0; i < length; i++)
        {
            ids[i] = random.Next(1, SentenceClassifier.Vocabulary);
            mask[i] = 1f / length;
            balance += ids[i] < Opinions ? 1 : ids[i] < 2 * Opinions ? -1 : 0;
        }
        return balance > 0 ? 1 : 0;
    }
}
