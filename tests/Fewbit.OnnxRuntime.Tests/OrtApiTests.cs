using Fewbit.OnnxRuntime.Native;
using Fewbit.Tensors;
using Fewbit.Testing;

namespace Fewbit.OnnxRuntime.Tests;

public sealed class OrtApiTests
{
    [RuntimeFact]
    public unsafe void CreateTensor_EveryNumericType_ReadsBackTypeShapeAndAddress()
    {
        OrtApi api = OnnxRuntimeLibrary.Open(Oracles.OnnxRuntimeLibrary).Api;
        // The runtime has no complex tensors.
        foreach (ElementType type in Enum.GetValues<ElementType>().Where(type => type.BitWidth() is > 0 and < 128 && type != ElementType.Complex64))
        {
            Tensor tensor = Tensor.Allocate(type, [3, 5]);
            using OrtHandle value = api.CreateTensor(tensor.Address, tensor.ByteCount, tensor.Shape.Dims, type), info = api.TensorTypeAndShape(value);
            Assert.True(api.IsTensor(value));
            Assert.Equal(type, api.ElementType(info.Pointer));
            Assert.Equal([3, 5], api.Dimensions(info.Pointer));
            Assert.True(api.TensorData(value) == tensor.Address);
            string message = Assert.Throws<OnnxRuntimeException>(() => api.CreateTensor(tensor.Address, tensor.ByteCount - 1, tensor.Shape.Dims, type)).Message;
            Assert.Contains("not enough space", message, StringComparison.Ordinal);
        }
    }
}
