namespace Fewbit.Weights;

/// <summary>How the tensors of a file are matched with the weights of a graph.</summary>
public enum WeightMatching
{
    /// <summary>By equal names.</summary>
    ByName,

    /// <summary>The first tensor with the first weight, and so on, whatever the names; shapes must agree one by one. The order of a PyTorch file is that of the model's layers; that of a safetensors file often is not.</summary>
    ByOrder,
}

/// <summary>Settings of <see cref="WeightLoader"/>.</summary>
public sealed record WeightLoaderOptions
{
    /// <summary>How tensors find their weights. Default: by name.</summary>
    public WeightMatching Matching { get; init; }

    /// <summary>Taken off the names in the file; tensors whose names do not start with it are left out. Default: none.</summary>
    public string Prefix { get; init; } = "";

    /// <summary>By name only: whether weights that the file lacks keep their values, and tensors that the graph lacks are left out. Shapes must agree all the same. Default: no.</summary>
    public bool IsPartial { get; init; }
}
