using System.Globalization;
using Fewbit.Tensors;

namespace Fewbit.Data.Arrays;

/// <summary>Class indices from an array: [N] or [N, 1] of whole numbers, or [N, classes] of one-hot rows.</summary>
internal static class LabelArray
{
    public static int[] Read(Tensor array, string name)
    {
        if (array.Rank == 1 || array.Rank == 2 && array.Shape[1] == 1)
            return [.. Enumerable.Range(0, checked((int)array.ElementCount)).Select(i => Whole(At(array, i), name, i))];
        if (array.Rank != 2) throw new InvalidDataException($"{name}: labels are {array}, expected [N] class indices or [N, classes] one-hot rows");
        int classes = checked((int)array.Shape[1]);
        return [.. Enumerable.Range(0, checked((int)array.Shape[0])).Select(row => OneHot(array, row, classes, name))];
    }

    private static int OneHot(Tensor array, int row, int classes, string name)
    {
        int hot = -1;
        for (int c = 0; c < classes; c++)
        {
            double value = At(array, (long)row * classes + c);
            if (value == 0) continue;
            if (value != 1 || hot >= 0) throw new InvalidDataException($"{name}: row {row} of the labels {array} is not one-hot; expected [N] class indices or one 1 a row");
            hot = c;
        }
        return hot >= 0 ? hot : throw new InvalidDataException($"{name}: row {row} of the labels {array} has no 1; expected [N] class indices or one 1 a row");
    }

    private static int Whole(double value, string name, int index) => value >= 0 && value <= 999_999 && value == Math.Floor(value)
        ? (int)value
        : throw new InvalidDataException(string.Create(CultureInfo.InvariantCulture, $"{name}: label {index} is {value}, expected a class index from 0"));

    private static double At(Tensor array, long index) => array.Type switch
    {
        ElementType.UInt8 => array.Span<byte>()[(int)index],
        ElementType.Int8 => array.Span<sbyte>()[(int)index],
        ElementType.Bool => array.Span<bool>()[(int)index] ? 1 : 0,
        ElementType.UInt16 => array.Span<ushort>()[(int)index],
        ElementType.Int16 => array.Span<short>()[(int)index],
        ElementType.UInt32 => array.Span<uint>()[(int)index],
        ElementType.Int32 => array.Span<int>()[(int)index],
        ElementType.UInt64 => array.Span<ulong>()[(int)index],
        ElementType.Int64 => array.Span<long>()[(int)index],
        ElementType.Float16 => (double)array.Span<Half>()[(int)index],
        ElementType.Float32 => array.Span<float>()[(int)index],
        ElementType.Float64 => array.Span<double>()[(int)index],
        _ => throw new InvalidOperationException($"Bug in NpyHeader: it gave an array of {array.Type.Name()}"),
    };
}
