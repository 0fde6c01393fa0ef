using System.Globalization;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Fewbit.Tensors;

/// <summary>A dense array of elements of one type: (element type, shape, layout, owner, offset).</summary>
/// <remarks>Tensors made by <see cref="Allocate"/> are ordinary managed objects: nothing to dispose. A tensor is a view when it shares its owner.</remarks>
public sealed unsafe class Tensor
{
    private readonly TensorOwner _owner;
    private readonly long _byteOffset;

    /// <summary>A view of <paramref name="owner"/> that starts at <paramref name="byteOffset"/>.</summary>
    /// <exception cref="ArgumentOutOfRangeException">The elements do not fit into the owner.</exception>
    public Tensor(ElementType type, Shape shape, TensorOwner owner, long byteOffset = 0, Layout layout = Layout.RowMajor)
    {
        (Type, Shape, Layout, _owner, _byteOffset) = (type, shape, layout, owner, byteOffset);
        ByteCount = type.ByteCount(StoredElements(shape, layout));
        if (byteOffset < 0 || byteOffset > owner.ByteCount - ByteCount)
            throw new ArgumentOutOfRangeException(nameof(byteOffset), byteOffset, $"{ByteCount} bytes of {type.Name()} {shape} do not fit into {owner.ByteCount} bytes");
    }

    /// <summary>Gives zeroed memory for tensors instead of the garbage collector where tests look for accesses beyond a tensor's end; null otherwise.</summary>
    internal static Func<long, TensorOwner>? Allocator { get; set; }

    /// <summary>Type of every element.</summary>
    public ElementType Type { get; }

    /// <summary>Logical lengths of the dimensions.</summary>
    public Shape Shape { get; }

    /// <summary>How the elements lie in memory.</summary>
    public Layout Layout { get; }

    /// <summary>Number of dimensions.</summary>
    public int Rank => Shape.Rank;

    /// <summary>Number of logical elements.</summary>
    public long ElementCount => Shape.ElementCount;

    /// <summary>Bytes from the first to the last stored element.</summary>
    public long ByteCount { get; }

    /// <summary>Address of the first element; valid while this tensor is reachable (GC.KeepAlive where nothing else holds it).</summary>
    public byte* Address => _owner.Address + _byteOffset;

    /// <summary>All bytes.</summary>
    /// <exception cref="InvalidOperationException">More than 2 GiB: use <see cref="Address"/>.</exception>
    public Span<byte> Bytes => _owner.Slice(_byteOffset, SpanLength(ByteCount));

    /// <summary>A tensor of zeros.</summary>
    public static Tensor Allocate(ElementType type, Shape shape, Layout layout = Layout.RowMajor) => Create(type, shape, layout, zeroed: true);

    /// <summary>A tensor whose elements are not set yet: the caller writes every one.</summary>
    public static Tensor AllocateUninitialized(ElementType type, Shape shape, Layout layout = Layout.RowMajor) => Create(type, shape, layout, zeroed: false);

    /// <summary>A tensor that holds a copy of <paramref name="values"/>, row-major.</summary>
    /// <exception cref="ArgumentException">The number of values is not that of the shape.</exception>
    public static Tensor From<T>(ReadOnlySpan<T> values, Shape shape) where T : unmanaged
    {
        if (values.Length != shape.ElementCount) throw new ArgumentException($"{values.Length} values for shape {shape}, expected {shape.ElementCount}", nameof(values));
        Tensor tensor = AllocateUninitialized(ElementTypes.Of<T>(), shape);
        values.CopyTo(tensor.Span<T>());
        return tensor;
    }

    /// <summary>A one-dimensional tensor that holds a copy of <paramref name="values"/>.</summary>
    public static Tensor From<T>(params ReadOnlySpan<T> values) where T : unmanaged => From(values, [values.Length]);

    /// <summary>A tensor of rank 0.</summary>
    public static Tensor Scalar<T>(T value) where T : unmanaged => From([value], Shape.Scalar);

    /// <summary>All elements in the order of memory.</summary>
    /// <exception cref="InvalidOperationException"><typeparamref name="T"/> is not the element type, or there are more than 2^31 elements.</exception>
    public Span<T> Span<T>() where T : unmanaged
    {
        if (ElementTypes.Of<T>() != Type) throw new TensorFormException($"a {Type.Name()} tensor was read as {ElementTypes.Of<T>().Name()}");
        int length = SpanLength(ByteCount / sizeof(T));
        if (ByteCount <= int.MaxValue) return MemoryMarshal.CreateSpan(ref Unsafe.As<byte, T>(ref MemoryMarshal.GetReference(_owner.Slice(_byteOffset, (int)ByteCount))), length);
        return new(Address, length);
    }

    /// <summary>The only element of a tensor of one element.</summary>
    public T Item<T>() where T : unmanaged =>
        ElementCount == 1 ? Span<T>()[0] : throw new TensorFormException($"a tensor of shape {Shape} has no single element");

    /// <summary>A view of the same elements with other lengths.</summary>
    /// <exception cref="ArgumentException">The number of elements differs, or the layout is not row-major.</exception>
    public Tensor Reshape(Shape shape)
    {
        if (shape.ElementCount != ElementCount || Layout != Layout.RowMajor) throw new ArgumentException($"{Shape} ({Layout}) cannot be viewed as {shape}", nameof(shape));
        return new(Type, shape, _owner, _byteOffset);
    }

    /// <summary>A view of items [start, start + count) of dimension 0.</summary>
    public Tensor Rows(long start, long count)
    {
        if (Rank == 0 || start < 0 || count < 0 || start + count > Shape[0]) throw new ArgumentOutOfRangeException(nameof(start), start, $"{count} rows from there leave {Shape}");
        long rowBits = Shape[0] == 0 ? 0 : ByteCount / Shape[0];
        if (Type.IsPacked()) throw new InvalidOperationException($"{Type.Name()} elements share bytes: unpack before taking rows");
        return new(Type, Shape.With(0, count), _owner, _byteOffset + start * rowBits, Layout);
    }

    /// <summary>A view of part of the same memory, <paramref name="byteOffset"/> bytes from the first element, as elements of another type and shape.</summary>
    public Tensor View(ElementType type, Shape shape, long byteOffset, Layout layout = Layout.RowMajor) => new(type, shape, _owner, _byteOffset + byteOffset, layout);

    /// <summary>True where both tensors start at the same address.</summary>
    public bool IsAt(Tensor other) => Address == other.Address;

    /// <summary>The memory that the tensor lies in.</summary>
    internal TensorOwner Owner => _owner;

    /// <summary>True where both tensors lie in memory of one owner.</summary>
    internal bool SharesMemory(Tensor other) => _owner == other._owner;

    /// <summary>A copy in memory of its own.</summary>
    public Tensor Copy()
    {
        Tensor copy = AllocateUninitialized(Type, Shape, Layout);
        CopyTo(copy);
        return copy;
    }

    /// <summary>Copies all bytes to a tensor of the same type, number of bytes and layout.</summary>
    public void CopyTo(Tensor destination)
    {
        if (destination.Type != Type || destination.ByteCount != ByteCount || destination.Layout != Layout)
            throw new ArgumentException($"cannot copy {this} to {destination}", nameof(destination));
        Buffer.MemoryCopy(Address, destination.Address, ByteCount, ByteCount);
        GC.KeepAlive(this);
        GC.KeepAlive(destination);
    }

    /// <summary>The form of messages: float32 [8, 64, 56, 56].</summary>
    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"{Type.Name()} {Shape}{(Layout == Layout.RowMajor ? "" : $" {Layout}")}");

    /// <summary>The lengths as they lie in memory: [N, C/16, H, W, 16] for blocks of channels.</summary>
    internal Shape StoredShape => Layout == Layout.RowMajor ? Shape : [Shape[0], (Shape[1] + 15) / 16, .. Shape.Dims[2..], 16];

    /// <summary>Elements that are stored for a logical shape: more than it has where blocks are padded.</summary>
    internal static long StoredElements(Shape shape, Layout layout) =>
        layout == Layout.RowMajor ? shape.ElementCount : shape[0] * ((shape[1] + 15) / 16 * 16) * shape.CountOf(2, shape.Rank);

    private static Tensor Create(ElementType type, Shape shape, Layout layout, bool zeroed) =>
        new(type, shape, Allocator is { } allocator ? allocator(type.ByteCount(StoredElements(shape, layout))) : new PinnedOwner(type.ByteCount(StoredElements(shape, layout)), zeroed), 0, layout);

    private int SpanLength(long length) =>
        length <= int.MaxValue ? (int)length : throw new InvalidOperationException($"{this} is longer than a span can be");
}
