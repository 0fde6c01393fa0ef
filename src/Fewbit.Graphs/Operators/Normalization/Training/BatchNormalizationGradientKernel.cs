using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using Fewbit.Tensors.Kernels;
using Fewbit.Tensors.Threading;

namespace Fewbit.Graphs.Operators;

/// <summary>Gradients of batch normalization in float32: the sums of the masked gradient and of its product with x in one pass, then dx in a second.</summary>
internal sealed unsafe class BatchNormalizationGradientKernel(BatchNormalizationGradient settings, ChannelRuns runs) : IKernel
{
    public void Run(EvaluationContext context)
    {
        long lanes = (long)runs.Groups * ChannelRuns.Lanes;
        double* partial = (double*)context.Scratch((long)runs.Chunks * LaneSums.Doubles * sizeof(double) + (lanes * Tables.Count + runs.Channels) * sizeof(float));
        float* memory = (float*)(partial + (long)runs.Chunks * LaneSums.Doubles), values = memory + lanes * Tables.Count;
        var tables = new Tables(memory, lanes);
        var operands = new Operands
        {
            Gradient = (float*)context.Input(0).Address,
            X = (float*)context.Input(1).Address,
            Y = context.FindInput(BatchNormalizationGradient.Output) is { } y ? (float*)y.Address : null,
            Masked = context.HasOutput(BatchNormalizationGradient.ResidualGradient) ? (float*)context.Output(BatchNormalizationGradient.ResidualGradient).Address : null,
            Result = (float*)context.Output(0).Address,
        };
        Prepare(context, tables, new(values, runs.Channels));
        var sums = new SumsJob(runs, operands, tables, Mask, partial);
        Workers.Run(runs.Chunks, ref sums);
        Finish(context, tables, partial, new(values, runs.Channels));
        // With the masked gradient at hand, the second pass reads that.
        var second = operands.Masked == null ? operands : operands with { Gradient = operands.Masked };
        var apply = new ApplyJob(runs, second, tables, operands.Masked == null ? Mask : default);
        Workers.Run(runs.Chunks, ref apply);
        GC.KeepAlive(context);
    }

    private Range Mask
    {
        get
        {
            (float low, float high) = BatchNormalizationTraining.Range(settings.Activation);
            return new(settings.Activation.Kind != ActivationKind.None, low, high);
        }
    }

    private void Prepare(EvaluationContext context, in Tables tables, Span<float> channels)
    {
        Span<float> scale = context.Input(2).Span<float>(), bias = context.Input(3).Span<float>(), mean = context.Input(4).Span<float>(), inverse = context.Input(5).Span<float>();
        runs.Spread(mean, tables.Mean);
        for (int c = 0; c < channels.Length; c++) channels[c] = BatchNormalizationTrainingKernel.Affine(scale[c], bias[c], mean[c], inverse[c]).Factor;
        runs.Spread(channels, tables.Factor);
        for (int c = 0; c < channels.Length; c++) channels[c] = BatchNormalizationTrainingKernel.Affine(scale[c], bias[c], mean[c], inverse[c]).Offset;
        runs.Spread(channels, tables.Offset);
    }

    /// <summary>dx = Factor * g + Slope * (x - Mean) + Constant.</summary>
    private void Finish(EvaluationContext context, in Tables tables, double* partial, Span<float> channels)
    {
        Span<float> scale = context.Input(2).Span<float>(), inverse = context.Input(5).Span<float>();
        Span<float> scaleGradient = context.HasOutput(1) ? context.Output(1).Span<float>() : default, biasGradient = context.HasOutput(2) ? context.Output(2).Span<float>() : default;
        double count = runs.Count;
        for (int c = 0; c < channels.Length; c++)
        {
            double product = runs.Total(partial, 1, c) * inverse[c];
            if (!scaleGradient.IsEmpty) scaleGradient[c] = (float)product;
            channels[c] = (float)(-scale[c] * (double)inverse[c] * inverse[c] * product / count);
        }
        runs.Spread(channels, tables.Slope);
        for (int c = 0; c < channels.Length; c++)
        {
            double sum = runs.Total(partial, 0, c);
            if (!biasGradient.IsEmpty) biasGradient[c] = (float)sum;
            channels[c] = (float)(-scale[c] * (double)inverse[c] * sum / count);
        }
        runs.Spread(channels, tables.Constant);
    }

    /// <summary>Numbers a lane of every group.</summary>
    private readonly struct Tables(float* memory, long lanes)
    {
        public const int Count = 5;

        public float* Mean => memory;

        public float* Factor => memory + lanes;

        public float* Offset => memory + 2 * lanes;

        public float* Slope => memory + 3 * lanes;

        public float* Constant => memory + 4 * lanes;
    }

    private struct Operands
    {
        public float* Gradient;
        public float* X;
        public float* Y;
        public float* Masked;
        public float* Result;

        public readonly Operands At(long offset) => new()
        {
            Gradient = Gradient + offset,
            X = X + offset,
            Y = Y == null ? null : Y + offset,
            Masked = Masked == null ? null : Masked + offset,
            Result = Result + offset,
        };
    }

    /// <summary>Where the gradient passes: strictly inside.</summary>
    private readonly record struct Range(bool Limits, float Low, float High);

    /// <summary>The last elements of a run, filled up with gradients of 0.</summary>
    private ref struct Padded(float* memory)
    {
        private const int Arrays = 5;

        public const int Floats = Arrays * ChannelRuns.Lanes;

        public readonly Operands Fill(in Operands from, int count)
        {
            new Span<float>(memory, Floats).Clear();
            return new()
            {
                Gradient = Copy(from.Gradient, 0, count),
                X = Copy(from.X, 1, count),
                Y = from.Y == null ? null : Copy(from.Y, 2, count),
                Masked = from.Masked == null ? null : memory + 3 * ChannelRuns.Lanes,
                Result = memory + 4 * ChannelRuns.Lanes,
            };
        }

        private readonly float* Copy(float* from, int array, int count)
        {
            float* to = memory + array * ChannelRuns.Lanes;
            new ReadOnlySpan<float>(from, count).CopyTo(new(to, count));
            return to;
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<float> Pass(Vector256<float> gradient, Vector256<float> y, Vector256<float> low, Vector256<float> high) =>
        gradient & Vector256.GreaterThan(y, low) & Vector256.LessThan(y, high);

    private readonly struct SumsJob(ChannelRuns runs, Operands operands, Tables tables, Range mask, double* partial) : IJob
    {
        public void Run(int chunk)
        {
            (int group, int first, int end) = runs.Chunk(chunk);
            float* memory = stackalloc float[Padded.Floats];
            var sums = new LaneSums(partial + (long)chunk * LaneSums.Doubles);
            for (int image = first; image < end; image++)
            {
                Operands run = operands.At(runs.Offset(image, group));
                int whole = runs.Length / ChannelRuns.Lanes * ChannelRuns.Lanes;
                for (int at = 0, length; at < whole; at += length) Add(group, run.At(at), length = LaneSums.Stretch(whole - at), ref sums);
                if (whole == runs.Length) continue;
                Operands last = run.At(whole), padded = new Padded(memory).Fill(last, runs.Length - whole);
                Add(group, padded, ChannelRuns.Lanes, ref sums);
                if (last.Masked != null) new ReadOnlySpan<float>(padded.Masked, runs.Length - whole).CopyTo(new(last.Masked, runs.Length - whole));
            }
            sums.Flush();
        }

        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        private void Add(int group, in Operands run, int length, ref LaneSums sums)
        {
            float* mean = tables.Mean + group * ChannelRuns.Lanes, factor = tables.Factor + group * ChannelRuns.Lanes, offset = tables.Offset + group * ChannelRuns.Lanes;
            Vector256<float> meanLow = Vector256.Load(mean), meanHigh = Vector256.Load(mean + 8), factorLow = Vector256.Load(factor), factorHigh = Vector256.Load(factor + 8);
            Vector256<float> offsetLow = Vector256.Load(offset), offsetHigh = Vector256.Load(offset + 8), least = Vector256.Create(mask.Low), most = Vector256.Create(mask.High);
            Vector256<float> sumLow = default, sumHigh = default, productLow = default, productHigh = default;
            float* x = run.X, y = run.Y, from = run.Gradient, to = run.Masked;
            for (int i = 0; i < length; i += ChannelRuns.Lanes)
            {
                Vector256<float> low = Vector256.Load(from + i), high = Vector256.Load(from + i + 8), xLow = Vector256.Load(x + i), xHigh = Vector256.Load(x + i + 8);
                if (mask.Limits)
                {
                    low = Pass(low, y != null ? Vector256.Load(y + i) : Vector256.FusedMultiplyAdd(xLow, factorLow, offsetLow), least, most);
                    high = Pass(high, y != null ? Vector256.Load(y + i + 8) : Vector256.FusedMultiplyAdd(xHigh, factorHigh, offsetHigh), least, most);
                }
                if (to != null)
                {
                    low.Store(to + i);
                    high.Store(to + i + 8);
                }
                sumLow += low;
                sumHigh += high;
                productLow = Vector256.FusedMultiplyAdd(low, xLow - meanLow, productLow);
                productHigh = Vector256.FusedMultiplyAdd(high, xHigh - meanHigh, productHigh);
            }
            sums.Add(length, sumLow, sumHigh, productLow, productHigh);
        }
    }

    private readonly struct ApplyJob(ChannelRuns runs, Operands operands, Tables tables, Range mask) : IJob
    {
        public void Run(int chunk)
        {
            (int group, int first, int end) = runs.Chunk(chunk);
            float* memory = stackalloc float[Padded.Floats];
            for (int image = first; image < end; image++)
            {
                Operands run = operands.At(runs.Offset(image, group));
                int whole = runs.Length / ChannelRuns.Lanes * ChannelRuns.Lanes;
                Apply(group, run, whole);
                if (whole == runs.Length) continue;
                Operands last = run.At(whole), padded = new Padded(memory).Fill(last, runs.Length - whole);
                Apply(group, padded, ChannelRuns.Lanes);
                new ReadOnlySpan<float>(padded.Result, runs.Length - whole).CopyTo(new(last.Result, runs.Length - whole));
            }
        }

        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        private void Apply(int group, in Operands run, int length)
        {
            float* mean = tables.Mean + group * ChannelRuns.Lanes, factor = tables.Factor + group * ChannelRuns.Lanes, offset = tables.Offset + group * ChannelRuns.Lanes;
            float* slope = tables.Slope + group * ChannelRuns.Lanes, constant = tables.Constant + group * ChannelRuns.Lanes;
            Vector256<float> meanLow = Vector256.Load(mean), meanHigh = Vector256.Load(mean + 8), factorLow = Vector256.Load(factor), factorHigh = Vector256.Load(factor + 8);
            Vector256<float> offsetLow = Vector256.Load(offset), offsetHigh = Vector256.Load(offset + 8), least = Vector256.Create(mask.Low), most = Vector256.Create(mask.High);
            Vector256<float> slopeLow = Vector256.Load(slope), slopeHigh = Vector256.Load(slope + 8), constantLow = Vector256.Load(constant), constantHigh = Vector256.Load(constant + 8);
            float* x = run.X, y = run.Y, from = run.Gradient, to = run.Result;
            for (int i = 0; i < length; i += ChannelRuns.Lanes)
            {
                Vector256<float> low = Vector256.Load(from + i), high = Vector256.Load(from + i + 8), xLow = Vector256.Load(x + i), xHigh = Vector256.Load(x + i + 8);
                if (mask.Limits)
                {
                    low = Pass(low, y != null ? Vector256.Load(y + i) : Vector256.FusedMultiplyAdd(xLow, factorLow, offsetLow), least, most);
                    high = Pass(high, y != null ? Vector256.Load(y + i + 8) : Vector256.FusedMultiplyAdd(xHigh, factorHigh, offsetHigh), least, most);
                }
                Vector256.FusedMultiplyAdd(low, factorLow, Vector256.FusedMultiplyAdd(xLow - meanLow, slopeLow, constantLow)).Store(to + i);
                Vector256.FusedMultiplyAdd(high, factorHigh, Vector256.FusedMultiplyAdd(xHigh - meanHigh, slopeHigh, constantHigh)).Store(to + i + 8);
            }
        }
    }
}
