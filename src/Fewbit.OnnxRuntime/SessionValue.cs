using System.Globalization;
using Fewbit.OnnxRuntime.Native;
using Fewbit.Tensors;

namespace Fewbit.OnnxRuntime;

/// <summary>An input or output of a model, as ONNX Runtime declares it.</summary>
/// <param name="Name">Its name in the graph.</param>
/// <param name="Type">Type of every element; Undefined where the value is no tensor (a sequence, a map).</param>
/// <param name="Dims">Lengths of the dimensions, -1 where free; empty for a scalar and where the model states no shape.</param>
/// <param name="DimNames">Symbolic names of the dimensions, empty where they have none; one per dimension.</param>
public sealed record SessionValue(string Name, ElementType Type, IReadOnlyList<long> Dims, IReadOnlyList<string> DimNames)
{
    /// <summary>The form of messages: float32 [N, 3, 32, 32].</summary>
    public override string ToString() => Type == ElementType.Undefined ? "no tensor" : $"{Type.Name()} [{string.Join(", ", Dims.Select(Dim))}]";

    internal static SessionValue Read(OrtApi api, OrtHandle session, int index, OrtFunction name, OrtFunction type)
    {
        using OrtHandle typeInfo = api.TypeInfo(type, session, index);
        nint tensor = api.TensorInfo(typeInfo);
        string valueName = api.Name(name, session, index);
        if (tensor == 0) return new(valueName, ElementType.Undefined, [], []);
        long[] dims = api.Dimensions(tensor);
        return new(valueName, api.ElementType(tensor), dims, api.SymbolicDimensions(tensor, dims.Length));
    }

    // Rank 0 is also what the runtime says of a value without a shape, so that only the runtime can judge it.
    internal bool Accepts(Tensor tensor) =>
        tensor.Type == Type && (Dims.Count == 0 || (tensor.Rank == Dims.Count && Dims.Index().All(dim => dim.Item < 0 || dim.Item == tensor.Shape[dim.Index])));

    private string Dim(long length, int axis) =>
        length >= 0 ? length.ToString(CultureInfo.InvariantCulture) : DimNames[axis].Length > 0 ? DimNames[axis] : "?";
}
