using Fewbit.Graphs;
using Fewbit.Tensors;

namespace Fewbit.Models;

/// <summary>Settings of a reference model.</summary>
public sealed record ReferenceModelOptions
{
    /// <summary>Classes, or kinds of tokens of a language model, 2 to 1,000,000; null for those of the paper.</summary>
    public int? Classes { get; init => field = value is { } count ? Require.InRange(count, 2, 1_000_000, nameof(Classes)) : null; }

    /// <summary>Height and width of pictures, or number of tokens, 1 to 2048; null for that of the paper.</summary>
    public int? InputSize { get; init => field = value is { } size ? Require.InRange(size, 1, 2048, nameof(InputSize)) : null; }

    /// <summary>Seed of the weights, and of the pass that sets batch-norm statistics.</summary>
    public long Seed { get; init; } = 1;
}

/// <summary>A network of the literature, written with the graph builder.</summary>
public sealed record ReferenceModel
{
    private const int Opset = 20, Channels = 3;
    private readonly Func<Value, int, Value> _build;

    internal ReferenceModel(string name, string description, int classes, int inputSize, Func<Value, int, Value> build) =>
        (Name, Description, Classes, InputSize, _build) = (name, description, classes, inputSize, build);

    /// <summary>Name to ask for: resnet18.</summary>
    public string Name { get; }

    /// <summary>What it is, in a few words.</summary>
    public string Description { get; }

    /// <summary>Classes, or kinds of tokens, of the paper.</summary>
    public int Classes { get; }

    /// <summary>Height and width of pictures, or tokens, of the paper.</summary>
    public int InputSize { get; }

    /// <summary>Whether the input is token numbers int64 [N, T] instead of pictures float32 [N, 3, H, W].</summary>
    public bool TakesTokens { get; internal init; }

    /// <summary>How its random weights are drawn.</summary>
    internal InitializationScheme Initialization { get; init; }

    /// <summary>Whether T is free; learned positions fix it.</summary>
    internal bool HasFreeLength { get; init; }

    /// <summary>What the height and width of pictures must be a multiple of.</summary>
    internal int InputMultiple { get; init; } = 1;

    /// <summary>The network with random weights (<see cref="WeightInitialization"/>) and batch-norm statistics of one pass over random input, ready to run, train or save.</summary>
    /// <exception cref="ArgumentException">The network does not take inputs of that size.</exception>
    public Graph Create(ReferenceModelOptions? options = null)
    {
        options ??= new();
        Graph graph = CreateUninitialized(options, batch: "N");
        WeightInitialization.Apply(graph, options.Seed, Initialization);
        BatchNormStatistics.Set(graph, RandomBatch(graph, options));
        return graph;
    }

    /// <summary>Parameters and multiply-adds for one sample.</summary>
    /// <exception cref="ArgumentException">The network does not take inputs of that size.</exception>
    public ModelCost Count(ReferenceModelOptions? options = null) => ModelCost.Of(CreateUninitialized(options ?? new(), batch: 1));

    /// <summary>The network with zero weights: enough to count by.</summary>
    private Graph CreateUninitialized(ReferenceModelOptions options, Dim batch)
    {
        int size = options.InputSize ?? InputSize, classes = options.Classes ?? Classes;
        if (size % InputMultiple != 0) throw new ArgumentException($"model '{Name}' takes pictures whose side is a multiple of {InputMultiple}, but is asked for {size}", nameof(options));
        var graph = new Graph(Name, Opset);
        Value input = TakesTokens
            ? graph.AddInput("ids", ElementType.Int64, [batch, HasFreeLength && !batch.IsKnown ? "T" : size])
            : graph.AddInput("input", ElementType.Float32, [batch, Channels, size, size]);
        _build(input, classes).Returns("logits");
        return graph;
    }

    /// <summary>Normally distributed pictures, enough that the last planes give statistics too; or random tokens.</summary>
    private Dictionary<string, Tensor> RandomBatch(Graph graph, ReferenceModelOptions options)
    {
        const int PixelsWanted = 1 << 16;
        int size = options.InputSize ?? InputSize;
        // Another stream than that of the weights.
        var random = new SeededRandom((ulong)options.Seed ^ 0x9E3779B97F4A7C15);
        if (TakesTokens) return new() { ["ids"] = Tensor.Allocate(ElementType.Int64, [1, size]) };
        Tensor pictures = Tensor.AllocateUninitialized(ElementType.Float32, [Math.Max(2, PixelsWanted / ((long)size * size)), Channels, size, size]);
        foreach (ref float value in pictures.Span<float>()) value = (float)random.NextNormal();
        return new() { [graph.Inputs[0].Name] = pictures };
    }
}
