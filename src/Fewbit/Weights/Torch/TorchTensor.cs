using Fewbit.Data.Arrays;
using Fewbit.Tensors;

namespace Fewbit.Weights.Torch;

/// <summary>The memory that tensors of a PyTorch file share; its elements are read after the pickle that describes it.</summary>
/// <param name="Key">Its name in the file.</param>
/// <param name="Type">Element type; UInt8 for untyped bytes.</param>
/// <param name="Count">Number of elements.</param>
internal sealed record TorchStorage(string Key, ElementType Type, long Count)
{
    /// <summary>The elements, once they are read.</summary>
    public Tensor? Elements { get; set; }
}

/// <summary>A tensor as the pickle describes it: a strided window on a storage.</summary>
internal sealed record TorchTensor(TorchStorage Storage, ElementType Type, long Offset, long[] Sizes, long[] Strides)
{
    /// <summary>The tensor with its elements in row-major order: a view of the storage where they are so, else a copy.</summary>
    /// <param name="name">For messages: file and tensor.</param>
    /// <param name="budget">Bytes that copies may take; reduced.</param>
    public Tensor ToDense(string name, ref long budget)
    {
        Tensor storage = Storage.Elements ?? throw new InvalidDataException($"{name}: its storage '{Data.Printable.Of(Storage.Key)}' is not in the file");
        Shape shape = Checked(storage, name);
        int size = Type.BitWidth() / 8;
        if (shape.ElementCount == 0 || IsDense(shape)) return storage.View(Type, shape, Math.Min(Offset * size, storage.ByteCount - shape.ElementCount * size));
        budget -= shape.ElementCount * size;
        if (budget < 0) throw new InvalidDataException($"{name}: the file's tensors need more bytes than the limit WeightFileOptions.MaxBytes");
        Tensor dense = Tensor.AllocateUninitialized(Type, shape);
        ArrayBytes.CopyStrided(storage, Offset, Strides, dense);
        return dense;
    }

    private bool IsDense(Shape shape)
    {
        long[] dense = shape.Strides();
        for (int axis = 0; axis < Sizes.Length; axis++)
            if (Sizes[axis] > 1 && Strides[axis] != dense[axis]) return false;
        return true;
    }

    /// <summary>The shape, after the check that the last element lies in the storage, and that no element is shown more often than the storage has elements.</summary>
    private Shape Checked(Tensor storage, string name)
    {
        try
        {
            Shape shape = new(Sizes);
            long last = Offset, size = Type.BitWidth() / 8, available = storage.ByteCount / size;
            for (int axis = 0; axis < Sizes.Length; axis++) last = checked(last + Math.Max(0, Sizes[axis] - 1) * Strides[axis]);
            bool fits = Offset >= 0 && Strides.All(stride => stride >= 0) && (shape.ElementCount == 0 ? Offset <= available : last < available);
            if (!fits)
                throw new InvalidDataException($"{name}: {Type.Name()} {shape} with strides [{string.Join(", ", Strides)}] from element {Offset} leaves its storage of {available} elements");
            if (shape.ElementCount > available)
                throw new InvalidDataException($"{name}: shows {shape.ElementCount} elements of a storage of {available} (an expanded tensor); save tensor.contiguous()");
            return shape;
        }
        catch (Exception problem) when (problem is OverflowException or ArgumentOutOfRangeException)
        {
            throw new InvalidDataException($"{name}: has the sizes [{string.Join(", ", Sizes)}] and strides [{string.Join(", ", Strides)}], which no memory can hold", problem);
        }
    }
}
