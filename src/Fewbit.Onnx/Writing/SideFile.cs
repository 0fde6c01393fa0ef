using Fewbit.Tensors;

namespace Fewbit.Onnx.Writing;

/// <summary>The file beside a model that holds its large tensors, each at the start of a page so that it can be mapped.</summary>
/// <param name="name">Name of the file, as the model states it.</param>
/// <param name="threshold">Bytes from which a tensor lies here.</param>
internal sealed class SideFile(string name, long threshold)
{
    private const long PageBytes = 4096;
    private readonly List<(Tensor Tensor, long Offset)> _tensors = [];
    private long _end;

    public string Name => name;

    public bool IsEmpty => _tensors.Count == 0;

    public bool Takes(Tensor tensor) => tensor.ByteCount >= Math.Max(1, threshold);

    /// <summary>Gives the tensor a place and returns its offset.</summary>
    public long Add(Tensor tensor)
    {
        long offset = (_end + PageBytes - 1) / PageBytes * PageBytes;
        _tensors.Add((tensor, offset));
        _end = offset + tensor.ByteCount;
        return offset;
    }

    public unsafe void WriteTo(string path)
    {
        using var file = File.OpenHandle(path, FileMode.Create, FileAccess.Write, FileShare.None, FileOptions.None, preallocationSize: _end);
        foreach ((Tensor tensor, long offset) in _tensors)
        {
            for (long done = 0; done < tensor.ByteCount;)
            {
                int count = (int)Math.Min(1 << 30, tensor.ByteCount - done);
                RandomAccess.Write(file, new ReadOnlySpan<byte>(tensor.Address + done, count), offset + done);
                done += count;
            }
            GC.KeepAlive(tensor);
        }
        RandomAccess.SetLength(file, _end);
    }
}
