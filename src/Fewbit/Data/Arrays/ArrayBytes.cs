using Fewbit.Tensors;

namespace Fewbit.Data.Arrays;

/// <summary>Fills tensors from streams: byte order, storage order, and an end that must be where the header says.</summary>
internal static class ArrayBytes
{
    /// <summary>Deflate cannot expand by more; headers that claim more are refused before memory is taken.</summary>
    public const long MaxInflation = 1032;
    private const int ChunkBytes = 1 << 20;

    /// <summary>Reads all elements of a row-major tensor.</summary>
    public static unsafe Tensor Read(Stream stream, ElementType type, Shape shape, bool bigEndian)
    {
        Tensor tensor = Tensor.AllocateUninitialized(type, shape);
        for (long at = 0; at < tensor.ByteCount; at += ChunkBytes)
        {
            var chunk = new Span<byte>(tensor.Address + at, (int)Math.Min(ChunkBytes, tensor.ByteCount - at));
            stream.ReadExactly(chunk);
            if (bigEndian) Swap(chunk, type.BitWidth() / 8);
        }
        GC.KeepAlive(tensor);
        return tensor;
    }

    /// <summary>The same array with the last dimension fastest, from a tensor whose memory has the first fastest.</summary>
    public static Tensor FromFortran(Tensor fortran)
    {
        if (fortran.Rank < 2) return fortran;
        Tensor result = Tensor.AllocateUninitialized(fortran.Type, fortran.Shape);
        var strides = new long[fortran.Rank];
        long step = 1;
        for (int axis = 0; axis < strides.Length; axis++, step *= fortran.Shape[axis - 1]) strides[axis] = step;
        CopyStrided(fortran, 0, strides, result);
        return result;
    }

    /// <summary>Fills a row-major tensor with the elements at offset + index · strides of another's memory.</summary>
    /// <param name="source">Elements of the same width; the caller has checked that all of them lie in it.</param>
    /// <param name="offset">Element that index 0 is.</param>
    /// <param name="strides">Elements between neighbours along each dimension of the target.</param>
    /// <param name="target">The tensor to fill.</param>
    public static unsafe void CopyStrided(Tensor source, long offset, ReadOnlySpan<long> strides, Tensor target)
    {
        int size = target.Type.BitWidth() / 8, rank = target.Rank;
        var index = new long[rank];
        long at = offset;
        for (long element = 0; element < target.ElementCount; element++)
        {
            Buffer.MemoryCopy(source.Address + at * size, target.Address + element * size, size, size);
            for (int axis = rank - 1; axis >= 0; axis--)
            {
                at += strides[axis];
                if (++index[axis] < target.Shape[axis]) break;
                at -= strides[axis] * target.Shape[axis];
                index[axis] = 0;
            }
        }
        GC.KeepAlive(source);
        GC.KeepAlive(target);
    }

    private static void Swap(Span<byte> bytes, int size)
    {
        if (size == 1) return;
        for (int i = 0; i < bytes.Length; i += size) bytes.Slice(i, size).Reverse();
    }
}
