using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using Fewbit.Tensors.Threading;

namespace Fewbit.Graphs.Operators;

/// <summary>Batch normalization in training in float32: statistics in one pass over x, then y in a second.</summary>
internal sealed unsafe class BatchNormalizationTrainingKernel(BatchNormalizationTraining norm, ChannelRuns runs) : IKernel
{
    public void Run(EvaluationContext context)
    {
        int groupFloats = runs.Groups * ChannelRuns.Lanes;
        double* partial = (double*)context.Scratch((long)runs.Chunks * LaneSums.Doubles * sizeof(double) + (3L * groupFloats + 2L * runs.Channels) * sizeof(float));
        float* shift = (float*)(partial + (long)runs.Chunks * LaneSums.Doubles), factors = shift + groupFloats, offsets = factors + groupFloats, values = offsets + groupFloats;
        float* x = (float*)context.Input(0).Address;
        Shift(x, shift);
        var statistics = new StatisticsJob(runs, x, shift, partial);
        Workers.Run(runs.Chunks, ref statistics);
        Span<float> factor = new(values, runs.Channels), offset = new(values + runs.Channels, runs.Channels);
        Finish(context, shift, partial, factor, offset);
        runs.Spread(factor, factors);
        runs.Spread(offset, offsets);
        (float low, float high) = BatchNormalizationTraining.Range(norm.Activation);
        float* residual = context.FindInput(BatchNormalizationTraining.Residual) is { } given ? (float*)given.Address : null;
        var apply = new ApplyJob(runs, x, residual, factors, offsets, low, high, (float*)context.Output(0).Address);
        Workers.Run(runs.Chunks, ref apply);
        GC.KeepAlive(context);
    }

    /// <summary>factor and offset so that y = x * factor + offset: the gradient kernel computes the same mask from the same numbers.</summary>
    public static (float Factor, float Offset) Affine(float scale, float bias, float mean, float inverse) => (scale * inverse, MathF.FusedMultiplyAdd(-mean, scale * inverse, bias));

    /// <summary>The first element of each channel: sums of differences to it do not cancel where the mean is far from 0.</summary>
    private void Shift(float* x, float* shift)
    {
        for (int group = 0; group < runs.Groups; group++)
        {
            float* first = x + runs.Offset(0, group);
            for (int lane = 0; lane < ChannelRuns.Lanes; lane++) shift[group * ChannelRuns.Lanes + lane] = first[runs.IsBlocked ? lane : 0];
        }
    }

    private void Finish(EvaluationContext context, float* shift, double* partial, Span<float> factor, Span<float> offset)
    {
        Span<float> scale = context.Input(1).Span<float>(), bias = context.Input(2).Span<float>(), oldMean = context.Input(3).Span<float>(), oldVariance = context.Input(4).Span<float>();
        Span<float> newMean = Output(context, 1), newVariance = Output(context, 2), batchMean = Output(context, 3), inverseDeviation = Output(context, 4);
        double keep = norm.Momentum, count = runs.Count;
        for (int c = 0; c < runs.Channels; c++)
        {
            double sum = runs.Total(partial, 0, c), squares = runs.Total(partial, 1, c);
            double mean = shift[runs.IsBlocked ? c : c * ChannelRuns.Lanes] + sum / count, variance = Math.Max(0, (squares - sum * sum / count) / count);
            float inverse = (float)(1 / Math.Sqrt(variance + norm.Epsilon));
            if (!newMean.IsEmpty) newMean[c] = (float)(oldMean[c] * keep + mean * (1 - keep));
            if (!newVariance.IsEmpty) newVariance[c] = (float)(oldVariance[c] * keep + variance * (count / Math.Max(1, count - 1)) * (1 - keep));
            if (!batchMean.IsEmpty) batchMean[c] = (float)mean;
            if (!inverseDeviation.IsEmpty) inverseDeviation[c] = inverse;
            (factor[c], offset[c]) = Affine(scale[c], bias[c], (float)mean, inverse);
        }
    }

    private static Span<float> Output(EvaluationContext context, int index) => context.HasOutput(index) ? context.Output(index).Span<float>() : default;

    private readonly struct StatisticsJob(ChannelRuns runs, float* x, float* shift, double* partial) : IJob
    {
        public void Run(int chunk)
        {
            (int group, int first, int end) = runs.Chunk(chunk);
            float* padded = stackalloc float[ChannelRuns.Lanes];
            Vector256<float> low = Vector256.Load(shift + group * ChannelRuns.Lanes), high = Vector256.Load(shift + group * ChannelRuns.Lanes + 8);
            var sums = new LaneSums(partial + (long)chunk * LaneSums.Doubles);
            for (int image = first; image < end; image++)
            {
                float* from = x + runs.Offset(image, group);
                int whole = runs.Length / ChannelRuns.Lanes * ChannelRuns.Lanes;
                for (int at = 0, length; at < whole; at += length) Add(from + at, length = LaneSums.Stretch(whole - at), low, high, ref sums);
                if (whole == runs.Length) continue;
                new Span<float>(padded, ChannelRuns.Lanes).Fill(low[0]);
                new ReadOnlySpan<float>(from + whole, runs.Length - whole).CopyTo(new(padded, ChannelRuns.Lanes));
                Add(padded, ChannelRuns.Lanes, low, high, ref sums);
            }
            sums.Flush();
        }

        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        private static void Add(float* x, int length, Vector256<float> shiftLow, Vector256<float> shiftHigh, ref LaneSums sums)
        {
            Vector256<float> sumLow = default, sumHigh = default, squareLow = default, squareHigh = default;
            for (float* end = x + length; x < end; x += ChannelRuns.Lanes)
            {
                Vector256<float> low = Vector256.Load(x) - shiftLow, high = Vector256.Load(x + 8) - shiftHigh;
                sumLow += low;
                sumHigh += high;
                squareLow = Vector256.FusedMultiplyAdd(low, low, squareLow);
                squareHigh = Vector256.FusedMultiplyAdd(high, high, squareHigh);
            }
            sums.Add(length, sumLow, sumHigh, squareLow, squareHigh);
        }
    }

    private readonly struct ApplyJob(ChannelRuns runs, float* x, float* residual, float* factors, float* offsets, float minimum, float maximum, float* y) : IJob
    {
        public void Run(int chunk)
        {
            (int group, int first, int end) = runs.Chunk(chunk);
            float* padded = stackalloc float[2 * ChannelRuns.Lanes];
            for (int image = first; image < end; image++)
            {
                long at = runs.Offset(image, group);
                int whole = runs.Length / ChannelRuns.Lanes * ChannelRuns.Lanes, rest = runs.Length - whole;
                float* added = residual == null ? null : residual + at;
                Apply(group, x + at, added, y + at, whole);
                if (rest == 0) continue;
                new ReadOnlySpan<float>(x + at + whole, rest).CopyTo(new(padded, rest));
                if (added != null) new ReadOnlySpan<float>(added + whole, rest).CopyTo(new(padded + ChannelRuns.Lanes, rest));
                Apply(group, padded, added == null ? null : padded + ChannelRuns.Lanes, padded, ChannelRuns.Lanes);
                new ReadOnlySpan<float>(padded, rest).CopyTo(new(y + at + whole, rest));
            }
        }

        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        private void Apply(int group, float* from, float* added, float* to, int length)
        {
            Vector256<float> factorLow = Vector256.Load(factors + group * ChannelRuns.Lanes), factorHigh = Vector256.Load(factors + group * ChannelRuns.Lanes + 8);
            Vector256<float> offsetLow = Vector256.Load(offsets + group * ChannelRuns.Lanes), offsetHigh = Vector256.Load(offsets + group * ChannelRuns.Lanes + 8);
            Vector256<float> least = Vector256.Create(minimum), most = Vector256.Create(maximum);
            for (int i = 0; i < length; i += ChannelRuns.Lanes)
            {
                Vector256<float> low = Vector256.FusedMultiplyAdd(Vector256.Load(from + i), factorLow, offsetLow), high = Vector256.FusedMultiplyAdd(Vector256.Load(from + i + 8), factorHigh, offsetHigh);
                if (added != null)
                {
                    low += Vector256.Load(added + i);
                    high += Vector256.Load(added + i + 8);
                }
                // The native minimum and maximum return their second operand where either is a NaN: it stays.
                Vector256.MinNative(most, Vector256.MaxNative(least, low)).Store(to + i);
                Vector256.MinNative(most, Vector256.MaxNative(least, high)).Store(to + i + 8);
            }
        }
    }
}
