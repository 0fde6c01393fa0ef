using System.IO.MemoryMappedFiles;

namespace Fewbit.Tensors;

/// <summary>A file mapped read-only: weights that are read from disk page by page when they are used.</summary>
/// <remarks>The map is closed by its finalizer, once no tensor refers to this owner.</remarks>
public sealed unsafe class MappedOwner : TensorOwner
{
    private readonly MemoryMappedFile _file;
    private readonly MemoryMappedViewAccessor _view;
    private readonly byte* _address;

    /// <summary>Maps a whole file.</summary>
    /// <exception cref="IOException">The file cannot be opened or is empty.</exception>
    public MappedOwner(string path)
    {
        ByteCount = new FileInfo(path).Length;
        if (ByteCount == 0) throw new IOException($"{path} is empty");
        _file = MemoryMappedFile.CreateFromFile(path, FileMode.Open, null, 0, MemoryMappedFileAccess.Read);
        _view = _file.CreateViewAccessor(0, ByteCount, MemoryMappedFileAccess.Read);
        _view.SafeMemoryMappedViewHandle.AcquirePointer(ref _address);
        _address += _view.PointerOffset;
    }

    /// <summary>Releases the map.</summary>
    ~MappedOwner()
    {
        if (_view is null) return;
        _view.SafeMemoryMappedViewHandle.ReleasePointer();
        _view.Dispose();
        _file.Dispose();
    }

    /// <inheritdoc/>
    public override long ByteCount { get; }

    /// <inheritdoc/>
    public override bool IsReadOnly => true;

    /// <inheritdoc/>
    public override byte* Address => _address;

    internal override Span<byte> Slice(long offset, int count) => new(_address + offset, count);
}
