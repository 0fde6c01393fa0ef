using Fewbit.Tensors.Threading;

namespace Fewbit.Tensors.Kernels;

/// <summary>A chunk is one panel of output blocks and a range of output pixels of one image.</summary>
internal readonly unsafe struct BlockedTileJob : IJob
{
    // Chunks of some ten microseconds, or fewer so that two threads end together; a chunk reads its weights once for all its pixels.
    private const int ChunkProducts = 1 << 20, LeastProducts = 1 << 17, FewChunks = 48, LeastPixels = 16;

    private readonly TileWork _work;
    private readonly float* _x;
    private readonly long _imageFloats, _scratchBytes;
    private readonly int _batch, _panels, _pixels, _pixelChunks;
    private readonly bool _isPixelMajor;

    public BlockedTileJob(in Conv2DShape shape, in TileSum sum, float* x, float* packed, in BlockedEpilogue epilogue, float* y)
    {
        _work = new(shape, sum, packed, epilogue, y);
        _x = x;
        (_imageFloats, _scratchBytes, _batch, _pixels) = (sum.ImageFloats, _work.ScratchBytes, shape.Batch, shape.OutPlane);
        _panels = TilePanels.Count(shape, sum);
        long products = TilePanels.Products(shape, sum), work = products * _pixels * _batch, chunks = Math.Clamp(work / LeastProducts, 1, Math.Max(FewChunks, work / ChunkProducts));
        _pixelChunks = (int)Math.Clamp(chunks / (_panels * _batch), 1, (_pixels + LeastPixels - 1) / LeastPixels);
        // What is smaller, image or weights, is read by both of two cores.
        _isPixelMajor = (long)shape.InChannels * shape.InPlane > products / TileSum.Block;
    }

    public int Chunks => _batch * _panels * _pixelChunks;

    public void Run(int chunk)
    {
        int batch = chunk / (_panels * _pixelChunks), rest = chunk % (_panels * _pixelChunks);
        int part = _isPixelMajor ? rest / _panels : rest % _pixelChunks, panel = _isPixelMajor ? rest % _panels : rest / _pixelChunks;
        int first = (int)((long)_pixels * part / _pixelChunks), end = (int)((long)_pixels * (part + 1) / _pixelChunks);
        _work.Multiply(panel, batch, (byte*)(_x + batch * _imageFloats), 0, first, end, ThreadScratch.Get(_scratchBytes));
    }
}
