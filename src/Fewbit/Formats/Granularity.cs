using Fewbit.Tensors;

namespace Fewbit.Formats;

/// <summary>Which elements of a tensor share one scale.</summary>
/// <param name="Axis">The dimension whose every index has a scale of its own, or along which blocks lie; null where the whole tensor shares one.</param>
/// <param name="BlockSize">Neighbours along the axis that share a scale, the last block being shorter; 0 where there are no blocks.</param>
public readonly record struct Granularity(int? Axis, int BlockSize = 0)
{
    /// <summary>One scale for the tensor.</summary>
    public static Granularity PerTensor => new(null);

    /// <summary>One scale for each index of dimension <paramref name="axis"/>.</summary>
    public static Granularity PerChannel(int axis) => new(axis);

    /// <summary>One scale for each block of neighbours along dimension <paramref name="axis"/>, at each index of the others: blocked quantization in ONNX.</summary>
    public static Granularity PerBlock(int axis, int size) => new(axis, Require.InRange(size, 1, int.MaxValue));

    /// <summary>The shape of the scales of a tensor: scalar, one dimension, or that of the tensor with blocks in place of elements.</summary>
    public Shape ScaleShape(Shape shape)
    {
        if (Axis is not { } axis) return [];
        if (BlockSize == 0) return [shape[axis]];
        long[] dims = shape.Dims.ToArray();
        dims[axis] = (dims[axis] + BlockSize - 1) / BlockSize;
        return new(dims);
    }

    /// <inheritdoc/>
    public override string ToString() => Axis is not { } axis ? "per tensor" : BlockSize == 0 ? $"per channel (axis {axis})" : $"in blocks of {BlockSize} (axis {axis})";
}

/// <summary>Where the zero point lies.</summary>
public enum QuantizationScheme
{
    /// <summary>In the middle of the codes: 0 for signed formats, half of them for unsigned ones.</summary>
    Symmetric,
    /// <summary>Anywhere, so that the codes span just the range.</summary>
    Affine,
}
