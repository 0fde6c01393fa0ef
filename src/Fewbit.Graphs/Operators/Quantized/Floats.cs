using Fewbit.Tensors;

namespace Fewbit.Graphs.Operators.Quantized;

/// <summary>Tensors of numbers of any type as float32, and back: scales may have 16 bits, codes may be minifloats.</summary>
internal static class Floats
{
    public static float[] Read(Tensor tensor) => (tensor.Type == ElementType.Float32 ? tensor : Casting.Convert(tensor, ElementType.Float32)).Span<float>().ToArray();

    public static void Write(ReadOnlySpan<float> values, Tensor tensor, bool saturates = true) =>
        Casting.Convert(Tensor.From(values, tensor.Shape), tensor, CastOptions.Default with { Saturate = saturates });
}
