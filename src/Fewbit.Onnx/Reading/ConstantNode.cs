using Fewbit.Graphs;
using Fewbit.Tensors;

namespace Fewbit.Onnx.Reading;

/// <summary>ONNX Constant: one tensor, in one of several attributes.</summary>
internal static class ConstantNode
{
    /// <summary>The tensor; null for text, which the engine does not compute with.</summary>
    public static Tensor? Tensor(Attributes attributes, string what)
    {
        foreach ((string name, object value) in attributes)
        {
            switch (name, value)
            {
                case ("value", Tensor tensor): return tensor;
                case ("value_float", float number): return Tensors.Tensor.Scalar(number);
                case ("value_int", long number): return Tensors.Tensor.Scalar(number);
                case ("value_floats", float[] numbers): return Tensors.Tensor.From<float>(numbers);
                case ("value_ints", long[] numbers): return Tensors.Tensor.From<long>(numbers);
                case ("value_floats", Array { Length: 0 }): return Tensors.Tensor.Allocate(ElementType.Float32, [0]);
                case ("value_ints", Array { Length: 0 }): return Tensors.Tensor.Allocate(ElementType.Int64, [0]);
                case ("value_string" or "value_strings", _): return null;
            }
        }
        throw new InvalidDataException($"{what}: holds no value (attributes: {string.Join(", ", attributes.Select(pair => pair.Key))})");
    }
}
