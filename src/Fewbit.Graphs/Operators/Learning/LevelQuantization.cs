using System.Numerics;
using System.Runtime.CompilerServices;
using Fewbit.Tensors;
using Fewbit.Tensors.Kernels;
using Fewbit.Tensors.Threading;

namespace Fewbit.Graphs.Operators;

/// <summary>The loops of <see cref="LevelQuantize"/>: the rounding kernels of the number set on blocks that caches hold, then what dropping and gradients add.</summary>
internal static unsafe class LevelQuantization
{
    private const int ChunkElements = 1 << 15, BlockElements = 1024;

    public static void Forward(NumberSet set, Tensor x, float scale, CounterHash hash, uint threshold, Tensor y)
    {
        float* source = (float*)x.Address, target = (float*)y.Address;
        long count = x.ByteCount / sizeof(float);
        if (set.Table is not { } table) Forward(new SmallFloatRounder.Constants(set.Codec), source, target, count, scale, hash, threshold);
        else
        {
            fixed (float* thresholds = table.Thresholds, levels = table.PaddedLevels) Forward(new LevelRounder.Places(table, thresholds, levels), source, target, count, scale, hash, threshold);
        }
        GC.KeepAlive(x);
        GC.KeepAlive(y);
    }

    /// <returns>The gradient of the scale: sums of chunks in float, their total in double, in the order of memory.</returns>
    public static float Backward(EvaluationContext context, NumberSet set, Tensor x, float scale, CounterHash hash, uint threshold, Tensor gradient, Tensor xGradient)
    {
        long count = x.ByteCount / sizeof(float);
        int chunks = (int)((count + ChunkElements - 1) / ChunkElements);
        float* sums = (float*)context.Scratch(Math.Max(1, chunks) * sizeof(float));
        var place = new Place((float*)x.Address, (float*)gradient.Address, (float*)xGradient.Address, sums, count, scale, set, hash, threshold);
        if (set.Table is not { } table) Backward(new SmallFloatRounder.Constants(set.Codec), place, chunks);
        else
        {
            fixed (float* thresholds = table.Thresholds, levels = table.PaddedLevels) Backward(new LevelRounder.Places(table, thresholds, levels), place, chunks);
        }
        GC.KeepAlive(x);
        GC.KeepAlive(gradient);
        GC.KeepAlive(xGradient);
        double total = 0;
        for (int i = 0; i < chunks; i++) total += sums[i];
        return (float)total;
    }

    /// <summary>The reference, and the path of gradient checks.</summary>
    public static void Forward<T>(NumberSet set, ReadOnlySpan<T> x, T scale, CounterHash hash, uint threshold, Span<T> y) where T : unmanaged, IFloatingPointIeee754<T>
    {
        for (int i = 0; i < x.Length; i++) y[i] = DropQuantization.IsQuantized(hash, threshold, (uint)i) ? Round(set, x[i] / scale) * scale : x[i];
    }

    /// <summary>The reference, and the path of gradient checks.</summary>
    public static T Backward<T>(NumberSet set, ReadOnlySpan<T> x, T scale, CounterHash hash, uint threshold, ReadOnlySpan<T> gradient, Span<T> xGradient) where T : unmanaged, IFloatingPointIeee754<T>
    {
        T sum = T.Zero, lowest = T.CreateChecked(set.Lowest), highest = T.CreateChecked(set.Highest);
        for (int i = 0; i < x.Length; i++)
        {
            T upstream = gradient[i];
            if (!DropQuantization.IsQuantized(hash, threshold, (uint)i))
            {
                xGradient[i] = upstream;
                continue;
            }
            T number = x[i] / scale;
            bool isInside = number >= lowest && number <= highest;
            xGradient[i] = isInside ? upstream : T.Zero;
            sum += upstream * (Round(set, number) - (isInside ? number : T.Zero));
        }
        return sum;
    }

    private static T Round<T>(NumberSet set, T number) where T : unmanaged, IFloatingPointIeee754<T> => T.CreateChecked(set.Round(float.CreateChecked(number)));

    private static void Forward<TRounder>(TRounder rounder, float* x, float* y, long count, float scale, CounterHash hash, uint threshold) where TRounder : unmanaged, INumberRounder
    {
        var job = new ForwardJob<TRounder>(rounder, x, y, count, scale, hash, threshold);
        Workers.Run((int)((count + ChunkElements - 1) / ChunkElements), ref job);
    }

    private static void Backward<TRounder>(TRounder rounder, Place place, int chunks) where TRounder : unmanaged, INumberRounder
    {
        var job = new BackwardJob<TRounder>(rounder, place);
        Workers.Run(chunks, ref job);
    }

    private readonly struct ForwardJob<TRounder>(TRounder rounder, float* x, float* y, long count, float scale, CounterHash hash, uint threshold) : IJob where TRounder : unmanaged, INumberRounder
    {
        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        public void Run(int chunk)
        {
            long start = (long)chunk * ChunkElements, end = Math.Min(count, start + ChunkElements);
            float* numbers = stackalloc float[BlockElements];
            (bool isAll, Vector<uint> limit, Vector<float> scales) = (threshold == uint.MaxValue, new(threshold), new(scale));
            for (long block = start; block < end; block += BlockElements)
            {
                int length = (int)Math.Min(BlockElements, end - block), i = 0;
                Divide(x + block, scale, numbers, length);
                rounder.Round(numbers, numbers, length);
                for (; i + Vector<float>.Count <= length; i += Vector<float>.Count)
                    Vector.ConditionalSelect(DropQuantization.Takes(isAll, hash, limit, (uint)(block + i)), Vector.Load(numbers + i) * scales, Vector.Load(x + block + i)).Store(y + block + i);
                for (; i < length; i++) y[block + i] = DropQuantization.IsQuantized(hash, threshold, (uint)(block + i)) ? numbers[i] * scale : x[block + i];
            }
        }
    }

    /// <summary>What a backward pass reads and writes.</summary>
    private readonly struct Place(float* x, float* gradient, float* xGradient, float* sums, long count, float scale, NumberSet set, CounterHash hash, uint threshold)
    {
        public readonly float* X = x, Gradient = gradient, XGradient = xGradient, Sums = sums;
        public readonly long Count = count;
        public readonly float Scale = scale, Lowest = set.Lowest, Highest = set.Highest;
        public readonly CounterHash Hash = hash;
        public readonly uint Threshold = threshold;
    }

    private readonly struct BackwardJob<TRounder>(TRounder rounder, Place place) : IJob where TRounder : unmanaged, INumberRounder
    {
        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        public void Run(int chunk)
        {
            long start = (long)chunk * ChunkElements, end = Math.Min(place.Count, start + ChunkElements);
            float* numbers = stackalloc float[BlockElements], rounded = stackalloc float[BlockElements];
            float total = 0;
            for (long block = start; block < end; block += BlockElements)
            {
                int length = (int)Math.Min(BlockElements, end - block);
                Divide(place.X + block, place.Scale, numbers, length);
                rounder.Round(numbers, rounded, length);
                total += Block(numbers, rounded, block, length);
            }
            place.Sums[chunk] = total;
        }

        private float Block(float* numbers, float* rounded, long block, int length)
        {
            float* gradient = place.Gradient + block, xGradient = place.XGradient + block;
            (bool isAll, Vector<uint> limit, Vector<float> lowest, Vector<float> highest) = (place.Threshold == uint.MaxValue, new(place.Threshold), new(place.Lowest), new(place.Highest));
            Vector<float> sums = Vector<float>.Zero;
            int i = 0;
            for (; i + Vector<float>.Count <= length; i += Vector<float>.Count)
            {
                Vector<float> number = Vector.Load(numbers + i), upstream = Vector.Load(gradient + i), takes = DropQuantization.Takes(isAll, place.Hash, limit, (uint)(block + i));
                Vector<float> isInside = (Vector.GreaterThanOrEqual(number, lowest) & Vector.LessThanOrEqual(number, highest)).As<int, float>();
                Vector.ConditionalSelect(takes, Vector.BitwiseAnd(upstream, isInside), upstream).Store(xGradient + i);
                sums += Vector.BitwiseAnd(takes, upstream * (Vector.Load(rounded + i) - Vector.BitwiseAnd(number, isInside)));
            }
            float sum = Vector.Sum(sums);
            for (; i < length; i++)
            {
                float upstream = gradient[i], number = numbers[i];
                bool isTaken = DropQuantization.IsQuantized(place.Hash, place.Threshold, (uint)(block + i)), isInside = number >= place.Lowest && number <= place.Highest;
                xGradient[i] = isTaken && !isInside ? 0 : upstream;
                if (isTaken) sum += upstream * (rounded[i] - (isInside ? number : 0));
            }
            return sum;
        }
    }

    private static void Divide(float* x, float scale, float* numbers, int length)
    {
        Vector<float> scales = new(scale);
        int i = 0;
        for (; i + Vector<float>.Count <= length; i += Vector<float>.Count) (Vector.Load(x + i) / scales).Store(numbers + i);
        for (; i < length; i++) numbers[i] = x[i] / scale;
    }
}
