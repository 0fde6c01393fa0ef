using Fewbit.Tensors;

namespace Fewbit.Storage;

/// <summary>What a safetensors file holds.</summary>
/// <param name="Tensors">Tensors by name, in the order of the file's bytes.</param>
/// <param name="Metadata">Texts by name; empty where the file has none.</param>
public sealed record Safetensors(IReadOnlyDictionary<string, Tensor> Tensors, IReadOnlyDictionary<string, string> Metadata);
