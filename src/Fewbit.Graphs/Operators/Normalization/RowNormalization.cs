using System.Numerics;
using Fewbit.Tensors;
using Fewbit.Tensors.Threading;

namespace Fewbit.Graphs.Operators;

/// <summary>Normalization over rows of contiguous elements, then a scale and bias: what layer, instance, group and RMS normalization share.</summary>
/// <param name="Rows">Groups of elements that share mean and variance.</param>
/// <param name="Length">Elements of a group.</param>
/// <param name="Inner">Neighbouring elements that share scale and bias.</param>
/// <param name="Channels">Scales, taken in turn every Inner elements.</param>
/// <param name="Epsilon">Added to the variance.</param>
/// <param name="IsCentred">Whether the mean is taken off; otherwise the variance is the mean square.</param>
internal sealed record RowNormalization(int Rows, int Length, int Inner, int Channels, float Epsilon, bool IsCentred)
{
    /// <summary>A kernel whose inputs are x, scale and optionally bias; outputs 1 and 2, where there, are mean and 1 / deviation by row.</summary>
    public IKernel? ToKernel(Node node, ElementType type, Shape scale, Shape? bias) => type switch
    {
        _ when Length == 0 => new EmptyKernel(),
        ElementType.Float32 when IsPlain(scale) && (bias is null || IsPlain(bias.Value)) => new FloatKernel(this),
        ElementType.Float32 => new Reference<float>(this),
        ElementType.Float64 => new Reference<double>(this),
        _ => node.NoKernel(type),
    };

    private bool IsPlain(Shape parameter) => parameter.ElementCount == Channels;

    /// <summary>Writes mean and 1 / deviation of a row where the node states them.</summary>
    private static void WriteStatistics<T>(EvaluationContext context, int row, T mean, T inverse, bool isCentred) where T : unmanaged
    {
        if (isCentred && context.HasOutput(1)) context.Output(1).Span<T>()[row] = mean;
        int at = isCentred ? 2 : 1;
        if (context.HasOutput(at)) context.Output(at).Span<T>()[row] = inverse;
    }

    /// <summary>Rows without elements: there is nothing to normalize, and their statistics are stated as 0.</summary>
    private sealed class EmptyKernel : IKernel
    {
        public void Run(EvaluationContext context)
        {
            for (int i = 0; i < context.OutputCount; i++)
            {
                if (context.HasOutput(i)) context.Output(i).Bytes.Clear();
            }
        }
    }

    private sealed class Reference<T>(RowNormalization shape) : IKernel where T : unmanaged, IBinaryFloatingPointIeee754<T>
    {
        public void Run(EvaluationContext context)
        {
            T[] scale = Expand(context.Input(1), context), bias = context.FindInput(2) is { } tensor ? Expand(tensor, context) : new T[shape.Channels];
            for (int row = 0; row < shape.Rows; row++)
            {
                int start = row * shape.Length;
                Span<T> x = context.Input(0).Span<T>().Slice(start, shape.Length), y = context.Output(0).Span<T>().Slice(start, shape.Length);
                T count = T.CreateChecked(shape.Length), mean = T.Zero, squares = T.Zero;
                if (shape.IsCentred)
                {
                    foreach (T value in x) mean += value;
                    mean /= count;
                }
                foreach (T value in x) squares += (value - mean) * (value - mean);
                T inverse = T.One / T.Sqrt(squares / count + T.CreateChecked(shape.Epsilon));
                for (int i = 0; i < x.Length; i++)
                {
                    int channel = (start + i) / shape.Inner % shape.Channels;
                    y[i] = (x[i] - mean) * inverse * scale[channel] + bias[channel];
                }
                WriteStatistics(context, row, mean, inverse, shape.IsCentred);
            }
        }

        /// <summary>A scale or bias of fewer dimensions than the normalized shape, laid out in full.</summary>
        private T[] Expand(Tensor parameter, EvaluationContext context)
        {
            if (parameter.ElementCount == shape.Channels) return parameter.Span<T>().ToArray();
            Shape x = context.Input(0).Shape;
            int axis = x.Rank;
            for (long count = 1; count < shape.Channels && axis > 0;) count *= x[--axis];
            Shape normalized = new(x.Dims[axis..]);
            var walk = new BroadcastWalk(normalized, parameter.Shape, parameter.Shape);
            var full = new T[shape.Channels];
            for (int i = 0; i < full.Length; i++, walk.Next()) full[i] = parameter.Span<T>()[(int)walk.A];
            return full;
        }
    }

    private sealed unsafe class FloatKernel(RowNormalization shape) : IKernel
    {
        public void Run(EvaluationContext context)
        {
            float* statistics = (float*)context.Scratch(2L * shape.Rows * sizeof(float));
            float* bias = context.FindInput(2) is { } tensor ? (float*)tensor.Address : null;
            var job = new RowJob(shape.Rows, shape.Length, shape.Inner, shape.Channels, shape.Epsilon, shape.IsCentred,
                (float*)context.Input(0).Address, (float*)context.Input(1).Address, bias, (float*)context.Output(0).Address, statistics);
            Workers.Run(job.Chunks, ref job);
            if (context.OutputCount < 2) return;
            for (int row = 0; row < shape.Rows; row++) WriteStatistics(context, row, statistics[2 * row], statistics[2 * row + 1], shape.IsCentred);
        }
    }

    private readonly unsafe struct RowJob(int rows, int length, int inner, int channels, float epsilon, bool isCentred, float* x, float* scale, float* bias, float* y, float* statistics) : IJob
    {
        private readonly int _rowsPerChunk = Math.Max(1, 16384 / Math.Max(1, length));

        public int Chunks => (rows + _rowsPerChunk - 1) / _rowsPerChunk;

        public void Run(int chunk)
        {
            int end = Math.Min((chunk + 1) * _rowsPerChunk, rows);
            for (int row = chunk * _rowsPerChunk; row < end; row++)
            {
                long start = (long)row * length;
                var from = new ReadOnlySpan<float>(x + start, length);
                bool isElementwise = inner == 1;
                float mean = !isCentred ? 0 : (isElementwise ? RowReductions.Sum(from) : PacketSums.Sum(from, (int)(-start & 3))) / length;
                float squares = isElementwise ? RowReductions.SumOfSquares(from, mean) : PacketSums.SumOfSquares(from, mean);
                float inverse = 1 / MathF.Sqrt(squares / length + epsilon);
                (statistics[2 * row], statistics[2 * row + 1]) = (mean, inverse);
                if (isElementwise) PerElement(x + start, y + start, start, mean, inverse);
                else PerRun(start, mean, inverse);
            }
        }

        /// <summary>Each element has a scale of its own; the scales repeat with the row.</summary>
        private void PerElement(float* from, float* to, long start, float mean, float inverse)
        {
            int width = Vector<float>.Count, i = 0;
            long channel = start % channels;
            float* factors = scale + channel, offsets = bias == null ? null : bias + channel;
            (Vector<float> shift, Vector<float> factor) = (new(mean), new(inverse));
            for (; i + width <= length; i += width)
            {
                Vector<float> value = (*(Vector<float>*)(from + i) - shift) * factor * *(Vector<float>*)(factors + i);
                *(Vector<float>*)(to + i) = offsets == null ? value : value + *(Vector<float>*)(offsets + i);
            }
            for (; i < length; i++) to[i] = (from[i] - mean) * inverse * factors[i] + (offsets == null ? 0 : offsets[i]);
        }

        /// <summary>Runs of elements share a scale.</summary>
        private void PerRun(long start, float mean, float inverse)
        {
            int width = Vector<float>.Count;
            for (int first = 0; first < length;)
            {
                long channel = (start + first) / inner % channels;
                int last = (int)Math.Min(length, (start + first) / inner * inner + inner - start), i = first;
                float factor = inverse * scale[channel], offset = (bias == null ? 0 : bias[channel]) - mean * factor;
                (Vector<float> a, Vector<float> b) = (new(factor), new(offset));
                float* from = x + start, to = y + start;
                for (; i + width <= last; i += width) *(Vector<float>*)(to + i) = *(Vector<float>*)(from + i) * a + b;
                for (; i < last; i++) to[i] = from[i] * factor + offset;
                first = last;
            }
        }
    }
}

/// <summary>The gradient that row normalizations share, as nodes.</summary>
internal static class RowNormalizationGradient
{
    /// <summary>x with its mean taken off (or not) and divided by its deviation, over the dimensions that <paramref name="like"/> lacks; and 1 / deviation.</summary>
    public static (Value Normalized, Value Deviation) Normalize(Value x, Value like, float epsilon, bool isCentred)
    {
        Value centred = isCentred ? x - x.MeanToShapeOf(like) : x;
        Value deviation = ((centred * centred).MeanToShapeOf(like) + epsilon).Apply("Sqrt");
        return (centred / deviation, deviation);
    }

    /// <summary>Gradient of x where <paramref name="gradient"/> is that of the normalized value.</summary>
    public static Value OfInput(Value gradient, Value normalized, Value deviation, Value like, bool isCentred)
    {
        Value inner = gradient - normalized * (gradient * normalized).MeanToShapeOf(like);
        return (isCentred ? inner - gradient.MeanToShapeOf(like) : inner) / deviation;
    }

    /// <summary>A tensor of one element a row: the shape of x with the dimensions from <paramref name="axis"/> on of length 1.</summary>
    public static Value RowsOf(Value x, int axis)
    {
        int rank = x.Shape!.Rank;
        Graph graph = x.Graph;
        Value starts = graph.AddConstant("starts", Tensor.From<long>([.. Enumerable.Repeat(0L, rank - axis)]));
        Value ends = graph.AddConstant("ends", Tensor.From<long>([.. Enumerable.Repeat(1L, rank - axis)]));
        Value axes = graph.AddConstant("axes", Tensor.From<long>([.. Enumerable.Range(axis, rank - axis).Select(i => (long)i)]));
        return x.Apply("Slice", starts, ends, axes);
    }
}
