using Fewbit.Benchmarks.Results;
using Fewbit.Data;
using Fewbit.Graphs;
using Fewbit.Runtime;
using Fewbit.Tensors;

namespace Fewbit.Benchmarks.Reconstruction;

/// <summary>CIFAR-10 pictures as a network's input, in the order of their file.</summary>
internal static class ReconstructionPictures
{
    /// <summary>All pictures of a file in one tensor.</summary>
    public static (Tensor Pictures, int[] Labels) Load(Graph graph, string file)
    {
        DataSet data = DataSetReader.Open(Machine.Data("cifar10/" + file));
        var batches = new SampleBatches(data, [.. graph.Inputs.Select(input => new ValueInfo(input.Name, input.Type, input.Shape))], Preprocessing.Preset("cifar10"), new() { BatchSize = 64 });
        Tensor all = Tensor.AllocateUninitialized(ElementType.Float32, [data.Count, 3, 32, 32]);
        foreach (SampleBatch batch in batches) batch.Inputs.Values.Single().Rows(0, batch.Count).CopyTo(all.Rows(batch.First, batch.Count));
        return (all, [.. data.Labels!]);
    }

    /// <summary>What a network returns for each picture.</summary>
    public static Tensor Scores(Graph graph, Tensor pictures)
    {
        using ModelRunner runner = ModelRunner.From(graph);
        Tensor? scores = null;
        for (long first = 0; first < pictures.Shape[0]; first += 64)
        {
            long count = Math.Min(64, pictures.Shape[0] - first);
            Tensor part = runner.Run(new Dictionary<string, Tensor> { [graph.Inputs[0].Name] = pictures.Rows(first, count) })[graph.Outputs[0].Name];
            scores ??= Tensor.AllocateUninitialized(ElementType.Float32, part.Shape.With(0, pictures.Shape[0]));
            part.CopyTo(scores.Rows(first, count));
        }
        return scores!;
    }

    /// <summary>The highest class of each row.</summary>
    public static int[] Classes(Tensor scores)
    {
        int classes = (int)scores.Shape[1];
        return [.. Enumerable.Range(0, (int)scores.Shape[0]).Select(row => Evaluation.Scores.ArgMax(scores.Span<float>().Slice(row * classes, classes)))];
    }
}
