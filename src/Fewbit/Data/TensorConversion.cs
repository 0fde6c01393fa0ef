using System.Numerics;
using Fewbit.Tensors;

namespace Fewbit.Data;

/// <summary>Copies array elements into a model input's type where no value is lost but to rounding.</summary>
internal static class TensorConversion
{
    /// <summary>True for equal types, any real type to a floating type, and an integer to a wider one that holds all its values.</summary>
    public static bool IsAllowed(ElementType from, ElementType to) => from == to || to switch
    {
        ElementType.Float32 or ElementType.Float64 or ElementType.Float16 => from.IsInteger() || from is ElementType.Float32 or ElementType.Float64 or ElementType.Float16,
        ElementType.Int64 => from.IsInteger() && from != ElementType.UInt64,
        ElementType.Int32 => from is ElementType.Int8 or ElementType.UInt8 or ElementType.Int16 or ElementType.UInt16,
        _ => false,
    };

    /// <summary>Copies all elements; shapes may differ, numbers of elements not.</summary>
    public static void Copy(Tensor source, Tensor target)
    {
        if (source.Type == target.Type)
        {
            source.Bytes.CopyTo(target.Bytes);
            return;
        }
        switch (target.Type)
        {
            case ElementType.Float32: To<float>(source, target); break;
            case ElementType.Float64: To<double>(source, target); break;
            case ElementType.Float16: To<Half>(source, target); break;
            case ElementType.Int32: To<int>(source, target); break;
            case ElementType.Int64: To<long>(source, target); break;
            default: throw new InvalidOperationException($"Bug in TensorConversion: {source.Type.Name()} to {target.Type.Name()} was allowed");
        }
    }

    private static void To<T>(Tensor source, Tensor target) where T : unmanaged, INumberBase<T>
    {
        Span<T> to = target.Span<T>();
        switch (source.Type)
        {
            case ElementType.Float32: Each(source.Span<float>(), to); break;
            case ElementType.Float64: Each(source.Span<double>(), to); break;
            case ElementType.Float16: Each(source.Span<Half>(), to); break;
            case ElementType.UInt8: Each(source.Span<byte>(), to); break;
            case ElementType.Int8: Each(source.Span<sbyte>(), to); break;
            case ElementType.UInt16: Each(source.Span<ushort>(), to); break;
            case ElementType.Int16: Each(source.Span<short>(), to); break;
            case ElementType.UInt32: Each(source.Span<uint>(), to); break;
            case ElementType.Int32: Each(source.Span<int>(), to); break;
            case ElementType.UInt64: Each(source.Span<ulong>(), to); break;
            case ElementType.Int64: Each(source.Span<long>(), to); break;
            default: throw new InvalidOperationException($"Bug in TensorConversion: {source.Type.Name()} was allowed");
        }
    }

    private static void Each<TFrom, TTo>(ReadOnlySpan<TFrom> from, Span<TTo> to) where TFrom : INumberBase<TFrom> where TTo : INumberBase<TTo>
    {
        for (int i = 0; i < from.Length; i++) to[i] = TTo.CreateSaturating(from[i]);
    }
}
