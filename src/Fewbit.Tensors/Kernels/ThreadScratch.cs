using System.Runtime.InteropServices;

namespace Fewbit.Tensors.Kernels;

/// <summary>Working memory of one thread for the length of one chunk; it grows to the largest chunk and stays. Aligned to 64 bytes.</summary>
/// <remarks>A chunk asks once: asking again hands out the same bytes.</remarks>
internal sealed unsafe class ThreadScratch
{
    [ThreadStatic] private static ThreadScratch? t_scratch;
    private void* _pointer;
    private nuint _bytes;

    private ThreadScratch()
    {
    }

    ~ThreadScratch() => NativeMemory.AlignedFree(_pointer);

    public static void* Get(long bytes)
    {
        ThreadScratch scratch = t_scratch ??= new ThreadScratch();
        if (scratch._bytes < (nuint)bytes) scratch.Grow((nuint)bytes);
        return scratch._pointer;
    }

    private void Grow(nuint bytes)
    {
        NativeMemory.AlignedFree(_pointer);
        _bytes = 0;
        _pointer = null;
        _pointer = NativeMemory.AlignedAlloc(bytes, 64);
        _bytes = bytes;
    }
}
