namespace Fewbit.Tensors;

/// <summary>A tensor is read as what it is not: another element type, a single element where there are several.</summary>
/// <remarks>A class of its own, since the caller knows which operator and input it is about.</remarks>
internal sealed class TensorFormException(string message) : InvalidOperationException(message);
