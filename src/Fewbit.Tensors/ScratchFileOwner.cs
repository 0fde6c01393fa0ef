using System.IO.MemoryMappedFiles;

namespace Fewbit.Tensors;

/// <summary>Memory in a temporary file, for data that need not stay in memory: the system writes pages out and reads them back as they are used.</summary>
/// <remarks>The file has no name that others could open once it is closed; it is deleted on <see cref="Dispose"/>, by the finalizer, or by the system when the process ends.</remarks>
internal sealed unsafe class ScratchFileOwner : TensorOwner, IDisposable
{
    private readonly FileStream _stream;
    private readonly MemoryMappedFile _file;
    private readonly MemoryMappedViewAccessor _view;
    private readonly byte* _address;
    private bool _isDisposed;

    /// <param name="folder">Where the file goes.</param>
    /// <param name="byteCount">Its length, at least 1.</param>
    /// <exception cref="IOException">There is no room, or the folder cannot be written.</exception>
    public ScratchFileOwner(string folder, long byteCount)
    {
        ByteCount = byteCount;
        _stream = new(Path.Combine(folder, $"fewbit-{Guid.NewGuid():N}.scratch"), new FileStreamOptions
        {
            Mode = FileMode.CreateNew, Access = FileAccess.ReadWrite, Share = FileShare.None, Options = FileOptions.DeleteOnClose, PreallocationSize = byteCount,
        });
        _stream.SetLength(byteCount);
        _file = MemoryMappedFile.CreateFromFile(_stream, null, byteCount, MemoryMappedFileAccess.ReadWrite, HandleInheritability.None, leaveOpen: true);
        _view = _file.CreateViewAccessor(0, byteCount, MemoryMappedFileAccess.ReadWrite);
        _view.SafeMemoryMappedViewHandle.AcquirePointer(ref _address);
        _address += _view.PointerOffset;
    }

    ~ScratchFileOwner() => Release();

    public override long ByteCount { get; }

    public override byte* Address => _address;

    internal override Span<byte> Slice(long offset, int count) => new(_address + offset, count);

    public void Dispose()
    {
        Release();
        GC.SuppressFinalize(this);
    }

    private void Release()
    {
        if (_isDisposed || _view is null) return;
        _isDisposed = true;
        _view.SafeMemoryMappedViewHandle.ReleasePointer();
        _view.Dispose();
        _file.Dispose();
        _stream.Dispose();
    }
}
