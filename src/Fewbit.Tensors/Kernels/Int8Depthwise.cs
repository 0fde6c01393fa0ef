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
        Workers.Run(shape.Batch * shape.OutChannels, ref job);
    }

    /// <summary>A chunk is one output plane.</summary>
    private readonly struct PlaneJob(Conv2DShape shape, byte* x, Int8Input input, float* weights, Requantization target, byte* y) : IJob
    {
        private readonly DepthwiseConv2D.Phases _phases = new(shape);

        public void Run(int chunk)
        {
            int image = chunk / shape.OutChannels, channel = chunk % shape.OutChannels;
            DepthwiseConv2D.Buffers buffers = DepthwiseConv2D.Buffers.Of(_phases, shape, shape.InPlane);
            ToFloats(x + ((long)image * shape.InChannels + channel / shape.GroupOutChannels) * shape.InPlane, shape.InPlane, buffers.Extra);
            _phases.Copy(buffers.Extra, buffers.Extra + shape.InPlane, buffers.Padded);
            DepthwiseConv2D.SumTaps(buffers, weights + (long)channel * shape.Taps, shape.Taps, _phases.Span);
            ToInts(buffers.Sums, _phases.Span);
            var write = new Requantizer(target);
            int bias = target.Bias == null ? 0 : target.Bias[channel];
            for (int row = 0; row < shape.OutHeight; row++)
            {
                long at = (long)chunk * shape.OutPlane + (long)row * shape.OutWidth;
                write.Row((int*)buffers.Sums + (long)row * _phases.Width, shape.OutWidth, bias, channel, y + at * target.ElementBytes);
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

        private static void ToInts(float* sums, int count)
        {
            int i = 0, width = Vector<float>.Count;
            for (; i + width <= count; i += width) *(Vector<int>*)(sums + i) = Vector.ConvertToInt32Native(*(Vector<float>*)(sums + i));
            for (; i < count; i++) ((int*)sums)[i] = (int)sums[i];
        }
    }
}
