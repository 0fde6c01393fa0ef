using Fewbit.Graphs;
using Fewbit.Tensors;

namespace Fewbit.OnnxRuntime.Native;

/// <summary>Reads what a session declares of its inputs and outputs.</summary>
internal static class DeclaredValue
{
    public static ValueInfo Read(OrtApi api, OrtHandle session, int index, OrtFunction name, OrtFunction type)
    {
        using OrtHandle typeInfo = api.TypeInfo(type, session, index);
        nint tensor = api.TensorInfo(typeInfo);
        string valueName = api.Name(name, session, index);
        return tensor == 0 ? new(valueName, ElementType.Undefined, null) : new(valueName, api.ElementType(tensor), Shape(api, tensor));
    }

    // This version of the C API reports rank 0 for a scalar and for a value without a shape alike.
    private static SymbolicShape? Shape(OrtApi api, nint tensor)
    {
        long[] lengths = api.Dimensions(tensor);
        string[] symbols = api.SymbolicDimensions(tensor, lengths.Length);
        return lengths.Length == 0 ? null : new([.. lengths.Zip(symbols, Dimension)]);
    }

    private static Dim Dimension(long length, string symbol) => length >= 0 ? length : symbol.Length > 0 ? Dim.Named(symbol) : Dim.Unknown;
}
