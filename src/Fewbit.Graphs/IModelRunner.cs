using Fewbit.Tensors;

namespace Fewbit.Graphs;

/// <summary>Name, element type and shape of a model's input or output.</summary>
/// <param name="Name">Name in the model.</param>
/// <param name="Type">Element type.</param>
/// <param name="Shape">Shape with symbols; null where the rank is unknown.</param>
public sealed record ValueInfo(string Name, ElementType Type, SymbolicShape? Shape)
{
    /// <summary>The form of messages: 'input' float32 [N, 3, 32, 32].</summary>
    public override string ToString() => $"'{Name}' {Type.Name()} {Shape?.ToString() ?? "of unknown rank"}";
}

/// <summary>Anything that runs a model: Fewbit's own engine or ONNX Runtime.</summary>
public interface IModelRunner : IDisposable
{
    /// <summary>What <see cref="Run"/> must be given.</summary>
    IReadOnlyList<ValueInfo> Inputs { get; }

    /// <summary>What <see cref="Run"/> can return.</summary>
    IReadOnlyList<ValueInfo> Outputs { get; }

    /// <summary>Runs the model once.</summary>
    /// <param name="inputs">A tensor for each input, by name.</param>
    /// <param name="outputs">Names of the outputs wanted; null for all.</param>
    /// <returns>The outputs by name, in memory of their own.</returns>
    /// <exception cref="ArgumentException">An input is missing, unknown, or of the wrong type or shape.</exception>
    IReadOnlyDictionary<string, Tensor> Run(IReadOnlyDictionary<string, Tensor> inputs, IReadOnlyCollection<string>? outputs = null);
}
