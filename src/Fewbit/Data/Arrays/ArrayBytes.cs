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
    public static unsafe Tensor FromFortran(Tensor fortran)
    {
        if (fortran.Rank < 2) return fortran;
        Tensor result = Tensor.AllocateUninitialized(fortran.Type, fortran.Shape);
        int size = fortran.Type.BitWidth() / 8, rank = fortran.Rank;
        var steps = new long[rank];
        long step = 1;
        for (int axis = 0; axis < rank; axis++, step *= fortran.Shape[axis - 1]) steps[axis] = step;
        var index = new long[rank];
        long source = 0;
        for (long target = 0; target < fortran.ElementCount; target++)
        {
            Buffer.MemoryCopy(fortran.Address + source * size, result.Address + target * size, size, size);
            for (int axis = rank - 1; axis >= 0; axis--)
            {
                source += steps[axis];
                if (++index[axis] < fortran.Shape[axis]) break;
                source -= steps[axis] * fortran.Shape[axis];
                index[axis] = 0;
            }
        }
        GC.KeepAlive(fortran);
        GC.KeepAlive(result);
        return result;
    }

    private static void Swap(Span<byte> bytes, int size)
    {
        if (size == 1) return;
        for (int i = 0; i < bytes.Length; i += size) bytes.Slice(i, size).Reverse();
    }
}
