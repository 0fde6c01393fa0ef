using Fewbit.Graphs;
using Fewbit.Models;
using Fewbit.Tensors;

namespace Fewbit.Benchmarks.Training;

/// <summary>A network whose training step is timed.</summary>
/// <param name="Name">Name in the tables, and of the PyTorch script.</param>
/// <param name="Batch">Samples of a step.</param>
/// <param name="SampleMultiplyAdds">Multiply-adds of a forward pass of one sample.</param>
/// <param name="Create">The graph from its first input to scores [..., classes], in evaluation mode.</param>
internal sealed record TrainingNetwork(string Name, int Batch, long SampleMultiplyAdds, Func<Graph> Create)
{
    /// <summary>Multiply-adds of a forward pass of the batch; a step takes about three times as many.</summary>
    public long ForwardMultiplyAdds => Batch * SampleMultiplyAdds;

    /// <summary>The networks that training speed is judged by.</summary>
    public static IReadOnlyList<TrainingNetwork> All { get; } =
    [
        Zoo("resnet20", 128), Zoo("resnet18", 8), Zoo("mobilenetv2", 8), Zoo("lstm", 20),
        new("transformer", 32, ModelCost.Of(Decoder(batch: 1)).MultiplyAdds, () => Decoder("N")),
    ];

    /// <summary>Normally distributed pictures or random tokens, and random classes, one for each row of the scores.</summary>
    public Dictionary<string, Tensor> Inputs(Graph graph, string labels)
    {
        var random = new SeededRandom(1);
        var tensors = new Dictionary<string, Tensor>(StringComparer.Ordinal);
        foreach (Value input in graph.Inputs.Where(input => input.Name != labels && input.Shape!.Rank > 0))
        {
            var dims = new long[input.Shape!.Rank];
            for (int axis = 0; axis < dims.Length; axis++) dims[axis] = axis == 0 ? Batch : input.Shape[axis].IsKnown ? input.Shape[axis].Length : UsualTokens;
            Tensor tensor = Tensor.AllocateUninitialized(input.Type, new(dims));
            if (input.Type == ElementType.Int64) FillTokens(tensor, 1000, ref random);
            else foreach (ref float value in tensor.Span<float>()) value = (float)random.NextNormal();
            tensors.Add(input.Name, tensor);
        }
        Tensor first = tensors[graph.Inputs[0].Name];
        Tensor classes = Tensor.Allocate(ElementType.Int64, [first.Type == ElementType.Int64 ? first.ElementCount : Batch]);
        FillTokens(classes, (int)graph.Outputs[0].Shape!.Dims[^1].Length, ref random);
        tensors.Add(labels, classes);
        return tensors;
    }

    private const int UsualTokens = 35;

    private static void FillTokens(Tensor tensor, int kinds, ref SeededRandom random)
    {
        foreach (ref long id in tensor.Span<long>()) id = random.NextInt(kinds);
    }

    private static TrainingNetwork Zoo(string name, int batch) => new(name, batch, ReferenceModels.Find(name).Count().MultiplyAdds, () => ReferenceModels.Find(name).Create());

    private static Graph Decoder(Dim batch)
    {
        const int Tokens = 128, Vocabulary = 1000;
        var graph = new Graph("transformer", 20);
        Transformer.BuildText(graph.AddInput("ids", ElementType.Int64, [batch, Tokens]), Vocabulary, new(6, 256, 4), isCausal: true).Returns("logits");
        WeightInitialization.Apply(graph, 1);
        return graph;
    }
}
