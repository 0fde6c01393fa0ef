using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;
using Fewbit.Tensors.Threading;

namespace Fewbit.Tensors.Kernels;

/// <summary>Depthwise convolution (one input channel a group), float, NCHW.</summary>
/// <remarks>
/// Each plane is copied with its padding into stride x stride phases (even and odd rows and columns at stride 2). Then every tap of every stride and dilation
/// is one shifted, contiguous read, and the output is one long vector with a few columns of waste at the end of each row.
/// </remarks>
internal static unsafe class DepthwiseConv2D
{
    private const int Unroll = 64;

    public static void Run(in Conv2DShape shape, float* x, float* weights, in Epilogue epilogue, float* y)
    {
        var job = new PlaneJob(shape, x, weights, epilogue, y);
        Workers.Run(job.Chunks, ref job);
    }

    /// <summary>The padded copy of one plane: phase (py, px) holds rows py, py + stride, ... and columns px, px + stride, ...</summary>
    internal readonly struct Phases(Conv2DShape shape)
    {
        public int Width { get; } = (shape.OutWidth - 1) + (shape.KernelWidth - 1) * shape.DilationWidth / shape.StrideWidth + 1;

        public int Height { get; } = (shape.OutHeight - 1) + (shape.KernelHeight - 1) * shape.DilationHeight / shape.StrideHeight + 1;

        public int Elements => Width * Height * shape.StrideHeight * shape.StrideWidth;

        /// <summary>Length of the output with the columns of waste.</summary>
        public int Span => (shape.OutHeight - 1) * Width + shape.OutWidth;

        public int OffsetOf(int tap)
        {
            int ky = tap / shape.KernelWidth * shape.DilationHeight, kx = tap % shape.KernelWidth * shape.DilationWidth;
            int phase = ky % shape.StrideHeight * shape.StrideWidth + kx % shape.StrideWidth;
            return (phase * Height + ky / shape.StrideHeight) * Width + kx / shape.StrideWidth;
        }

        /// <param name="plane">[InHeight, InWidth].</param>
        /// <param name="readEnd">End of the memory that may be read: copies are wider than rows.</param>
        /// <param name="to"><see cref="Elements"/> floats; nothing is written behind them, where another thread may write the next plane.</param>
        public void Copy(float* plane, float* readEnd, float* to)
        {
            for (int phaseY = 0; phaseY < shape.StrideHeight; phaseY++)
            {
                for (int phaseX = 0; phaseX < shape.StrideWidth; phaseX++, to += Width * Height)
                {
                    if (!IsUsed(phaseY, shape.StrideHeight, shape.KernelHeight, shape.DilationHeight) || !IsUsed(phaseX, shape.StrideWidth, shape.KernelWidth, shape.DilationWidth)) continue;
                    CopyPhase(plane, readEnd, phaseY - shape.PadTop, phaseX - shape.PadLeft, to);
                }
            }
        }

        private void CopyPhase(float* plane, float* readEnd, int y, int x, float* to)
        {
            int stride = shape.StrideWidth;
            float* writeEnd = to + Width * Height;
            int first = x >= 0 ? 0 : Math.Min((-x + stride - 1) / stride, Width), end = Math.Clamp((shape.InWidth - x + stride - 1) / stride, first, Width);
            for (int row = 0; row < Height; row++, to += Width, y += shape.StrideHeight)
            {
                if ((uint)y >= (uint)shape.InHeight) new Span<float>(to, Width).Clear();
                else CopyRow(plane + (long)y * shape.InWidth + x, first, end, to, readEnd, writeEnd);
            }
        }

        private static bool IsUsed(int phase, int stride, int kernel, int dilation)
        {
            for (int tap = 0; tap < kernel; tap++)
            {
                if (tap * dilation % stride == phase) return true;
            }
            return false;
        }

        /// <summary>Writes Width floats, and zeros over the start of the next rows, which come later, as far as <paramref name="writeEnd"/>.</summary>
        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        private void CopyRow(float* from, int first, int end, float* to, float* readEnd, float* writeEnd)
        {
            int stride = shape.StrideWidth, width = Vector<float>.Count, i = first;
            for (int j = 0; j < first; j++) to[j] = 0;
            if (stride == 1)
            {
                for (; i + width <= end; i += width) *(Vector<float>*)(to + i) = *(Vector<float>*)(from + i);
                if (i < end && from + i + width <= readEnd && to + i + width <= writeEnd)
                {
                    *(Vector<float>*)(to + i) = *(Vector<float>*)(from + i) & Mask(end - i);
                    i = end;
                }
                for (; i < end; i++) to[i] = from[i];
            }
            else if (stride == 2 && KernelPaths.Active >= KernelPath.Avx512)
            {
                for (; i + 16 <= end && from + 2 * i + 32 <= readEnd; i += 16)
                    Avx512F.PermuteVar16x32x2(Vector512.Load(from + 2 * i), Even, Vector512.Load(from + 2 * i + 16)).Store(to + i);
            }
            for (; i < end; i++) to[i] = from[i * stride];
            for (i = end; i < Width; i++) to[i] = 0;
        }

        private static Vector512<int> Even => Vector512.Create(0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30);

        private static Vector<float> Mask(int count)
        {
            ReadOnlySpan<int> ones = [-1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
            return Vector.AsVectorSingle(new Vector<int>(ones[(16 - count)..]));
        }
    }

    /// <summary>The working memory of one plane. Vectors read and write past the end of the last row, so each part has room behind it.</summary>
    internal readonly struct Buffers
    {
        public float* Padded { get; private init; }

        public float* Sums { get; private init; }

        public float* Extra { get; private init; }

        public int* Offsets { get; private init; }

        public static Buffers Of(in Phases phases, in Conv2DShape shape, int extra)
        {
            long padded = RoundUp(phases.Elements) + Unroll, sums = RoundUp(phases.Span);
            float* start = (float*)ThreadScratch.Get((padded + sums + RoundUp(extra) + shape.Taps) * sizeof(float));
            var buffers = new Buffers { Padded = start, Sums = start + padded, Extra = start + padded + sums, Offsets = (int*)(start + padded + sums + RoundUp(extra)) };
            for (int tap = 0; tap < shape.Taps; tap++) buffers.Offsets[tap] = phases.OffsetOf(tap);
            return buffers;
        }

        private static long RoundUp(int elements) => (elements + Unroll - 1L) / Unroll * Unroll;
    }

    /// <summary>Sums[i] = sum over taps of kernel[tap] * Padded[Offsets[tap] + i].</summary>
    internal static void SumTaps(in Buffers buffers, float* kernel, int taps, int span)
    {
        if (KernelPaths.Active >= KernelPath.Avx512) Sum512(buffers.Padded, kernel, buffers.Offsets, taps, buffers.Sums, span);
        else Sum(buffers.Padded, kernel, buffers.Offsets, taps, buffers.Sums, span);
    }

    /// <summary>A chunk is a few output planes.</summary>
    private readonly struct PlaneJob(Conv2DShape shape, float* x, float* weights, Epilogue epilogue, float* y) : IJob
    {
        // Lengths that the shape would divide for again at every use.
        private readonly int _outHeight = shape.OutHeight, _outWidth = shape.OutWidth, _outPlane = shape.OutPlane, _multiplier = shape.GroupOutChannels;
        private readonly Phases _phases = new(shape);
        private readonly int _planes = Math.Max(1, 4096 / shape.OutPlane);

        private int Total => shape.Batch * shape.OutChannels;

        public int Chunks => (Total + _planes - 1) / _planes;

        public void Run(int chunk)
        {
            Buffers buffers = Buffers.Of(_phases, shape, 0);
            float* readEnd = x + (long)shape.Batch * shape.InChannels * shape.InPlane;
            int end = Math.Min((chunk + 1) * _planes, Total);
            for (int plane = chunk * _planes; plane < end; plane++)
            {
                int image = plane / shape.OutChannels, channel = plane % shape.OutChannels;
                _phases.Copy(x + ((long)image * shape.InChannels + channel / _multiplier) * shape.InPlane, readEnd, buffers.Padded);
                SumTaps(buffers, weights + (long)channel * shape.Taps, shape.Taps, _phases.Span);
                Write(buffers.Sums, plane, channel);
            }
        }

        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        private void Write(float* sums, int plane, int channel)
        {
            float bias = epilogue.RowBias == null ? 0 : epilogue.RowBias[channel];
            float* to = y + (long)plane * _outPlane;
            float* residual = epilogue.Residual == null ? null : epilogue.Residual + (long)plane * _outPlane;
            Activation activation = epilogue.Activation;
            int width = Vector<float>.Count;
            for (int row = 0; row < _outHeight; row++, sums += _phases.Width, to += _outWidth)
            {
                // The last vector of a row runs over the next one, which is written after it; not where a residual may still be read there.
                bool mayOverrun = residual == null && (_outHeight - 1 - row) * _outWidth >= width;
                int stop = mayOverrun ? _outWidth : _outWidth - width + 1, i = 0;
                for (; i < stop; i += width)
                {
                    Vector<float> sum = *(Vector<float>*)(sums + i) + new Vector<float>(bias);
                    if (residual != null) sum += *(Vector<float>*)(residual + i);
                    *(Vector<float>*)(to + i) = activation.Apply(sum);
                }
                for (; i < _outWidth; i++) to[i] = activation.Apply(sums[i] + bias + (residual == null ? 0 : residual[i]));
                if (residual != null) residual += _outWidth;
            }
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Sum(float* padded, float* kernel, int* offsets, int taps, float* sums, int span)
    {
        int width = Vector<float>.Count;
        for (int i = 0; i < span; i += 4 * width)
        {
            Vector<float> s0 = default, s1 = default, s2 = default, s3 = default;
            for (int tap = 0; tap < taps; tap++)
            {
                float* at = padded + offsets[tap] + i;
                var w = new Vector<float>(kernel[tap]);
                s0 = Vector.FusedMultiplyAdd(w, *(Vector<float>*)at, s0);
                s1 = Vector.FusedMultiplyAdd(w, *(Vector<float>*)(at + width), s1);
                s2 = Vector.FusedMultiplyAdd(w, *(Vector<float>*)(at + 2 * width), s2);
                s3 = Vector.FusedMultiplyAdd(w, *(Vector<float>*)(at + 3 * width), s3);
            }
            var to = (Vector<float>*)(sums + i);
            (to[0], to[1], to[2], to[3]) = (s0, s1, s2, s3);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Sum512(float* padded, float* kernel, int* offsets, int taps, float* sums, int span)
    {
        int i = 0;
        for (; i + 16 < span; i += 64)
        {
            Vector512<float> s0 = default, s1 = default, s2 = default, s3 = default;
            for (int tap = 0; tap < taps; tap++)
            {
                float* at = padded + offsets[tap] + i;
                var w = Vector512.Create(kernel[tap]);
                s0 = Avx512F.FusedMultiplyAdd(w, Vector512.Load(at), s0);
                s1 = Avx512F.FusedMultiplyAdd(w, Vector512.Load(at + 16), s1);
                s2 = Avx512F.FusedMultiplyAdd(w, Vector512.Load(at + 32), s2);
                s3 = Avx512F.FusedMultiplyAdd(w, Vector512.Load(at + 48), s3);
            }
            s0.Store(sums + i);
            s1.Store(sums + i + 16);
            s2.Store(sums + i + 32);
            s3.Store(sums + i + 48);
        }
        for (; i < span; i += 16)
        {
            Vector512<float> sum = default;
            for (int tap = 0; tap < taps; tap++) sum = Avx512F.FusedMultiplyAdd(Vector512.Create(kernel[tap]), Vector512.Load(padded + offsets[tap] + i), sum);
            sum.Store(sums + i);
        }
    }
}
