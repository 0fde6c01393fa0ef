using Fewbit.Tensors;

namespace Fewbit.Graphs.Operators.Quantized;

/// <summary>Real or int32 tensors as float32, and back: scales may be float16 or bfloat16.</summary>
internal static class Floats
{
    public static float[] Read(Tensor tensor) => tensor.Type switch
    {
        ElementType.Float32 => tensor.Span<float>().ToArray(),
        ElementType.Float16 => Array.ConvertAll(tensor.Span<Half>().ToArray(), value => (float)value),
        ElementType.BFloat16 => Array.ConvertAll(tensor.Span<BFloat16>().ToArray(), value => (float)value),
        ElementType.Int32 => Array.ConvertAll(tensor.Span<int>().ToArray(), value => (float)value),
        _ => throw new InvalidDataException($"{tensor} is no tensor of real numbers that quantization takes, expected float32, float16, bfloat16 or int32"),
    };

    public static void Write(ReadOnlySpan<float> values, Tensor tensor)
    {
        switch (tensor.Type)
        {
            case ElementType.Float32:
                values.CopyTo(tensor.Span<float>());
                break;
            case ElementType.Float16:
                for (int i = 0; i < values.Length; i++) tensor.Span<Half>()[i] = (Half)values[i];
                break;
            case ElementType.BFloat16:
                for (int i = 0; i < values.Length; i++) tensor.Span<BFloat16>()[i] = (BFloat16)values[i];
                break;
            default:
                throw new InvalidDataException($"{tensor} is no tensor of real numbers that dequantization makes, expected float32, float16 or bfloat16");
        }
    }
}
