namespace Fewbit.Onnx;

/// <summary>How a model is read.</summary>
public sealed record OnnxLoadOptions
{
    /// <summary>Whether models of opset 7 to 12 are rewritten to the meaning of opset 13. Default: true; without it operators that changed are misread.</summary>
    public bool UpgradeOpset { get; init; } = true;

    /// <summary>Whether types and shapes are inferred after reading. Default: true.</summary>
    public bool InferShapes { get; init; } = true;

    /// <summary>Nodes that a model may have once its functions are expanded, those of subgraphs included, 1 and up. Default: 1,000,000.</summary>
    public int MaxNodes { get; init => field = Tensors.Require.InRange(value, 1, int.MaxValue, nameof(MaxNodes)); } = 1_000_000;

    /// <summary>Bytes from which an external tensor is mapped into memory instead of read. Default: 1 MiB.</summary>
    public long MapThreshold { get; init => field = Tensors.Require.InRange(value, 0, long.MaxValue, nameof(MapThreshold)); } = 1 << 20;
}
