using System.Numerics;
using Fewbit.Tensors;

namespace Fewbit.Graphs.Operators;

/// <summary>Work on elements of a number type.</summary>
internal interface INumberAction
{
    void Run<T>() where T : unmanaged, INumber<T>;
}

/// <summary>Work on float32 or float64 elements.</summary>
internal interface IRealAction
{
    void Run<T>() where T : unmanaged, IBinaryFloatingPointIeee754<T>;
}

/// <summary>Work on integer elements.</summary>
internal interface IIntegerAction
{
    void Run<T>() where T : unmanaged, IBinaryInteger<T>;
}

/// <summary>Work that moves elements of 1, 2, 4, 8 or 16 bytes without reading them as numbers.</summary>
internal interface IWordAction
{
    void Run<T>() where T : unmanaged;
}

/// <summary>Calls generic work for an element type that is known only at run time.</summary>
internal static class ElementDispatch
{
    /// <summary>float32, float64 and integers of 8 to 64 bits.</summary>
    public static void Number<TAction>(Node node, ElementType type, TAction action) where TAction : struct, INumberAction
    {
        switch (type)
        {
            case ElementType.Float32: action.Run<float>(); break;
            case ElementType.Float64: action.Run<double>(); break;
            case ElementType.Int8: action.Run<sbyte>(); break;
            case ElementType.UInt8: action.Run<byte>(); break;
            case ElementType.Int16: action.Run<short>(); break;
            case ElementType.UInt16: action.Run<ushort>(); break;
            case ElementType.Int32: action.Run<int>(); break;
            case ElementType.UInt32: action.Run<uint>(); break;
            case ElementType.Int64: action.Run<long>(); break;
            case ElementType.UInt64: action.Run<ulong>(); break;
            default: throw Refused(node, type);
        }
    }

    /// <summary>float32 and float64.</summary>
    public static void Real<TAction>(Node node, ElementType type, TAction action) where TAction : struct, IRealAction
    {
        switch (type)
        {
            case ElementType.Float32: action.Run<float>(); break;
            case ElementType.Float64: action.Run<double>(); break;
            default: throw Refused(node, type);
        }
    }

    /// <summary>Integers of 8 to 64 bits; Bool as the byte that holds it.</summary>
    public static void Integer<TAction>(Node node, ElementType type, TAction action) where TAction : struct, IIntegerAction
    {
        switch (type)
        {
            case ElementType.Bool: action.Run<byte>(); break;
            case ElementType.Int8: action.Run<sbyte>(); break;
            case ElementType.UInt8: action.Run<byte>(); break;
            case ElementType.Int16: action.Run<short>(); break;
            case ElementType.UInt16: action.Run<ushort>(); break;
            case ElementType.Int32: action.Run<int>(); break;
            case ElementType.UInt32: action.Run<uint>(); break;
            case ElementType.Int64: action.Run<long>(); break;
            case ElementType.UInt64: action.Run<ulong>(); break;
            default: throw Refused(node, type);
        }
    }

    /// <summary>Any type of whole bytes, by width.</summary>
    public static void Word<TAction>(Node node, ElementType type, TAction action) where TAction : struct, IWordAction
    {
        switch (type.BitWidth())
        {
            case 8: action.Run<byte>(); break;
            case 16: action.Run<ushort>(); break;
            case 32: action.Run<uint>(); break;
            case 64: action.Run<ulong>(); break;
            case 128: action.Run<UInt128>(); break;
            default: throw Refused(node, type);
        }
    }

    private static InvalidDataException Refused(Node node, ElementType type) => node.Fail($"does not take {type.Name()} elements");
}
