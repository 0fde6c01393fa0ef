using System.Runtime.InteropServices;

namespace Fewbit.Tensors.Tests.Kernels;

/// <summary>Aligned memory with a guard of known bytes behind it: <see cref="Dispose"/> fails the test when a kernel wrote over the end.</summary>
internal sealed unsafe class NativeBuffer<T> : IDisposable where T : unmanaged
{
    private const int Guard = 256;
    private readonly byte* _bytes;
    private readonly long _length;

    public NativeBuffer(long count)
    {
        Count = (int)count;
        _length = count * sizeof(T);
        _bytes = (byte*)NativeMemory.AlignedAlloc((nuint)(_length + Guard), 64);
        new Span<byte>(_bytes, (int)(_length + Guard)).Fill(0xCD);
    }

    public int Count { get; }

    public T* Pointer => (T*)_bytes;

    public Span<T> Span => new(_bytes, Count);

    public static NativeBuffer<T> Of(int count, Func<int, T> value)
    {
        var buffer = new NativeBuffer<T>(count);
        for (int i = 0; i < count; i++) buffer.Pointer[i] = value(i);
        return buffer;
    }

    public void Dispose()
    {
        for (int i = 0; i < Guard; i++) Assert.Equal(0xCD, _bytes[_length + i]);
        NativeMemory.AlignedFree(_bytes);
    }
}

/// <summary>Seeded numbers for kernels.</summary>
internal static class Numbers
{
    public static NativeBuffer<float> Floats(int count, int seed, float scale = 1)
    {
        var random = new Random(seed);
        return NativeBuffer<float>.Of(count, _ => (random.NextSingle() * 2 - 1) * scale);
    }

    public static NativeBuffer<byte> Bytes(int count, int seed)
    {
        var buffer = new NativeBuffer<byte>(count);
        new Random(seed).NextBytes(buffer.Span);
        return buffer;
    }

    /// <summary>Largest difference, relative to the largest expected magnitude.</summary>
    public static double RelativeError(ReadOnlySpan<float> actual, ReadOnlySpan<float> expected)
    {
        double worst = 0, largest = 1e-30;
        for (int i = 0; i < expected.Length; i++)
        {
            if (!float.IsFinite(actual[i])) return double.PositiveInfinity;
            worst = Math.Max(worst, Math.Abs((double)actual[i] - expected[i]));
            largest = Math.Max(largest, Math.Abs((double)expected[i]));
        }
        return worst / largest;
    }
}

/// <summary>Runs a test on each kernel path of this machine.</summary>
internal static class Paths
{
    private static readonly Lock Gate = new();

    public static void Each(Action<Fewbit.Tensors.Kernels.KernelPath> test)
    {
        lock (Gate)
        {
            foreach (Fewbit.Tensors.Kernels.KernelPath path in Enum.GetValues<Fewbit.Tensors.Kernels.KernelPath>())
            {
                if (!Fewbit.Tensors.Kernels.KernelPaths.IsSupported(path)) continue;
                Fewbit.Tensors.Kernels.KernelPaths.Active = path;
                try
                {
                    test(path);
                }
                finally
                {
                    Fewbit.Tensors.Kernels.KernelPaths.Active = Fewbit.Tensors.Kernels.KernelPaths.Best;
                }
            }
        }
    }
}

/// <summary>Tests that switch the kernel path run one after the other.</summary>
[CollectionDefinition(nameof(KernelPathSwitch), DisableParallelization = true)]
public sealed class KernelPathSwitch;
