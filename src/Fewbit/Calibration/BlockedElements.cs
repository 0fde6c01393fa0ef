using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using Fewbit.Tensors;

namespace Fewbit.Calibration;

/// <summary>The elements of tensors in blocks of channels, without those that only fill up the last block.</summary>
internal sealed class BlockedElements
{
    private const int Width = 16;
    private float[] _buffer = [];

    /// <summary>The elements in the order of memory; valid until the next call.</summary>
    /// <param name="tensor">Float32, in any layout.</param>
    public ReadOnlySpan<float> Of(Tensor tensor)
    {
        Span<float> stored = tensor.Span<float>();
        int filled = tensor.Layout == Layout.RowMajor ? 0 : (int)(tensor.Shape[1] % Width);
        return filled == 0 ? stored : Pack(stored, tensor, filled);
    }

    private ReadOnlySpan<float> Pack(ReadOnlySpan<float> stored, Tensor tensor, int filled)
    {
        int pixels = (int)tensor.Shape.CountOf(2, tensor.Rank), whole = (int)(tensor.Shape[1] / Width) * pixels * Width, image = whole + pixels * Width, length = 0;
        // Each pixel is written with all 16 lanes, of which the next one overwrites what does not count.
        if (_buffer.Length < tensor.ElementCount + Width) _buffer = new float[tensor.ElementCount + Width];
        for (int start = 0; start < stored.Length; start += image)
        {
            stored.Slice(start, whole).CopyTo(_buffer.AsSpan(length));
            length += whole;
            ref float from = ref MemoryMarshal.GetReference(stored.Slice(start + whole, pixels * Width));
            for (int pixel = 0; pixel < pixels; pixel++, length += filled)
                Vector512.LoadUnsafe(ref from, (nuint)(pixel * Width)).StoreUnsafe(ref _buffer[length]);
        }
        return _buffer.AsSpan(0, length);
    }
}
