using System.Numerics;
using Fewbit.Tensors.Threading;

namespace Fewbit.Graphs.Operators;

/// <summary>Batch normalization with given statistics in float32: one multiply and add an element.</summary>
internal sealed unsafe class ChannelAffineKernel(int batch, int channels, int plane, float epsilon) : IKernel
{
    public void Run(EvaluationContext context)
    {
        float* factors = (float*)context.Scratch(2L * channels * sizeof(float)), offsets = factors + channels;
        Span<float> scale = context.Input(1).Span<float>(), bias = context.Input(2).Span<float>(), mean = context.Input(3).Span<float>(), variance = context.Input(4).Span<float>();
        for (int c = 0; c < channels; c++)
        {
            factors[c] = scale[c] / MathF.Sqrt(variance[c] + epsilon);
            offsets[c] = bias[c] - mean[c] * factors[c];
        }
        var job = new AffineJob((float*)context.Input(0).Address, (float*)context.Output(0).Address, factors, offsets, batch * channels, channels, plane);
        Workers.Run(job.Chunks, ref job);
    }

    private readonly struct AffineJob(float* x, float* y, float* factors, float* offsets, int planes, int channels, int plane) : IJob
    {
        private readonly int _planesPerChunk = Math.Max(1, 32768 / Math.Max(1, plane));

        public int Chunks => (planes + _planesPerChunk - 1) / _planesPerChunk;

        public void Run(int chunk)
        {
            int end = Math.Min((chunk + 1) * _planesPerChunk, planes), width = Vector<float>.Count;
            for (int p = chunk * _planesPerChunk; p < end; p++)
            {
                float factor = factors[p % channels], offset = offsets[p % channels];
                float* from = x + (long)p * plane, to = y + (long)p * plane;
                (Vector<float> a, Vector<float> b) = (new(factor), new(offset));
                int i = 0;
                for (; i + width <= plane; i += width) *(Vector<float>*)(to + i) = Vector.FusedMultiplyAdd(*(Vector<float>*)(from + i), a, b);
                for (; i < plane; i++) to[i] = MathF.FusedMultiplyAdd(from[i], factor, offset);
            }
        }
    }
}
