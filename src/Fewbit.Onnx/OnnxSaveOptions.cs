namespace Fewbit.Onnx;

/// <summary>How a model is written.</summary>
public sealed record OnnxSaveOptions
{
    /// <summary>Whether large tensors go into a file beside the model, named as it with .data behind. Default: false; models beyond 1.9 GB do so in any case, since a model file holds at most 2 GiB.</summary>
    public bool ExternalData { get; init; }

    /// <summary>Bytes from which a tensor goes into external data, where there is any. Default: 1024.</summary>
    public long ExternalThreshold { get; init => field = Tensors.Require.InRange(value, 0, long.MaxValue, nameof(ExternalThreshold)); } = 1024;

    /// <summary>Whether initializers that were graph inputs too are declared as inputs again, so that a caller can override them. Default: false, since runtimes do not fold such values.</summary>
    public bool DefaultsAsInputs { get; init; }

    /// <summary>Bytes of tensors that a model file without external data may hold.</summary>
    internal long InlineLimit { get; init; } = 1_900_000_000;
}
