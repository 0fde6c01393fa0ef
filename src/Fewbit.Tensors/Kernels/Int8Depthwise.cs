using System.Numerics;
using System.Runtime.CompilerServices;
using Fewbit.Tensors.Threading;

namespace Fewbit.Tensors.Kernels;

/// <summary>8-bit depthwise convolution on floats: sums of (x - zx)(w - zw) are integers below 2^24, so every order of additions gives the exact one.</summary>
internal static unsafe class Int8Depthwise
{
    private const int MaxTaps = 256; // 256 * 255 * 255 < 2^24

    public static bool Fits(in Conv2DShape shape) => shape.IsDepthwise && shape.Taps <= MaxTaps;

    public static long PackedWeightBytes(in Conv2DShape shape) => (long)shape.OutChannels * shape.Taps * sizeof(float);

    public static void PackWeights(in Conv2DShape shape, in Int8Weights weights, float* packed)
    {
        for (int m = 0; m < shape.OutChannels; m++)
            for (int tap = 0; tap < shape.Taps; tap++) packed[m * shape.Taps + tap] = Int8Gemm.Value(weights, m, 0, tap);
    }

    public static void Run(in Conv2DShape shape, byte* x, Int8Input input, float* weights, in Requantization target, void* y)
    {
        var job = new PlaneJob(shape, x, input, weights, target, (byte*)y);
        Workers.Run(job.Chunks, ref job);
    }

    /// <summary>A chunk is a few output planes.</summary>
    private readonly struct PlaneJob(Conv2DShape shape, byte* x, Int8Input input, float* weights, Requantization target, byte* y) : IJob
    {
        // Lengths that the shape would divide for again at every use.
        private readonly int _outHeight = shape.OutHeight, _outWidth = shape.OutWidth, _multiplier = shape.GroupOutChannels;
        private readonly DepthwiseConv2D.Phases _phases = new(shape);
        private readonly int _planes = Math.Max(1, 4096 / shape.OutPlane);

        private int Total => shape.Batch * shape.OutChannels;

        public int Chunks => (Total + _planes - 1) / _planes;

        public void Run(int chunk)
        {
            DepthwiseConv2D.Buffers buffers = DepthwiseConv2D.Buffers.Of(_phases, shape, Math.Max(shape.InPlane, shape.OutPlane) + 64);
            var write = new Requantizer(target);
            int end = Math.Min((chunk + 1) * _planes, Total);
            for (int plane = chunk * _planes; plane < end; plane++)
            {
                int image = plane / shape.OutChannels, channel = plane % shape.OutChannels;
                ToFloats(x + ((long)image * shape.InChannels + channel / _multiplier) * shape.InPlane, shape.InPlane, buffers.Extra);
                _phases.Copy(buffers.Extra, buffers.Extra + shape.InPlane, buffers.Padded);
                DepthwiseConv2D.SumTaps(buffers, weights + (long)channel * shape.Taps, shape.Taps, _phases.Span);
                // Rows close up, so that a plane is requantized in one run.
                ToInts(buffers.Sums, buffers.Extra);
                int bias = target.Bias == null ? 0 : target.Bias[channel];
                write.Row((int*)buffers.Extra, _outHeight * _outWidth, bias, channel, y + (long)plane * _outHeight * _outWidth * target.ElementBytes);
            }
        }

        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        private void ToFloats(byte* from, int count, float* to)
        {
            int i = 0, width = Vector<byte>.Count;
            var zero = new Vector<float>(input.StoredZeroPoint);
            var flip = new Vector<byte>((byte)input.Flip);
            for (; i + width <= count; i += width)
            {
                Vector.Widen(*(Vector<byte>*)(from + i) ^ flip, out Vector<ushort> low, out Vector<ushort> high);
                Vector.Widen(low, out Vector<uint> a, out Vector<uint> b);
                Vector.Widen(high, out Vector<uint> c, out Vector<uint> d);
                Vector<float>* t = (Vector<float>*)(to + i);
                t[0] = ToFloat(a) - zero;
                t[1] = ToFloat(b) - zero;
                t[2] = ToFloat(c) - zero;
                t[3] = ToFloat(d) - zero;
            }
            for (; i < count; i++) to[i] = Int8Gemm.Value(from[i], input);
        }

        private static Vector<float> ToFloat(Vector<uint> x) => Vector.ConvertToSingle(Vector.AsVectorInt32(x));

        /// <summary>Vectors run over the end of a row into the next one, which is written after it.</summary>
        private void ToInts(float* sums, float* to)
        {
            int width = Vector<float>.Count;
            for (int row = 0; row < _outHeight; row++, sums += _phases.Width, to += _outWidth)
            {
                for (int i = 0; i < _outWidth; i += width) *(Vector<int>*)(to + i) = Vector.ConvertToInt32Native(*(Vector<float>*)(sums + i));
            }
        }
    }
}
