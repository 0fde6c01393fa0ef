using System.Numerics;
using Fewbit.Graphs.Operators;
using Fewbit.Graphs.Operators.Movement;
using Fewbit.Tensors;

namespace Fewbit.Reconstruction;

/// <summary>Which numbers a unit reads while it learns.</summary>
internal interface IUnitInput
{
    /// <summary>True where the float network's values are read.</summary>
    bool ReadsTeacher { get; }

    /// <summary>True where the values of the network whose earlier units are quantized are read.</summary>
    bool ReadsStudent { get; }

    /// <summary>Fills a batch.</summary>
    /// <param name="rows">Samples to take.</param>
    /// <param name="teacher">The float network's values, all samples; null where they are not read.</param>
    /// <param name="student">The quantized prefix's values, all samples; null where they are not read.</param>
    /// <param name="batch">Receives the samples.</param>
    /// <param name="seed">Seed of the step.</param>
    /// <param name="stream">Number of the input, so that two inputs draw differently.</param>
    void Fill(ReadOnlySpan<int> rows, Tensor? teacher, Tensor? student, Tensor batch, uint seed, uint stream);
}

/// <summary>The unit sees what it would see in the float network.</summary>
internal sealed record FullPrecisionInput : IUnitInput
{
    public bool ReadsTeacher => true;

    public bool ReadsStudent => false;

    public void Fill(ReadOnlySpan<int> rows, Tensor? teacher, Tensor? student, Tensor batch, uint seed, uint stream) => Rows.Gather(rows, teacher!, batch);
}

/// <summary>The unit sees what the quantized units before it compute.</summary>
internal sealed record QuantizedPrefixInput : IUnitInput
{
    public bool ReadsTeacher => false;

    public bool ReadsStudent => true;

    public void Fill(ReadOnlySpan<int> rows, Tensor? teacher, Tensor? student, Tensor batch, uint seed, uint stream) => Rows.Gather(rows, student!, batch);
}

/// <summary>Each number comes from the quantized prefix with a probability, from the float network otherwise.</summary>
/// <param name="Probability">That a number comes from the quantized prefix.</param>
/// <remarks>Wei et al., "QDrop", 2022, arXiv:2203.05740.</remarks>
internal sealed record RandomMixInput(double Probability) : IUnitInput
{
    // Quantizers of a step draw from streams that start at 0.
    private const uint FirstStream = 1 << 16;

    public bool ReadsTeacher => true;

    public bool ReadsStudent => true;

    public void Fill(ReadOnlySpan<int> rows, Tensor? teacher, Tensor? student, Tensor batch, uint seed, uint stream)
    {
        uint threshold = CounterHash.Threshold(Probability);
        if (threshold == uint.MaxValue) Rows.Gather(rows, student!, batch);
        else Rows.Mix(rows, teacher!, student!, batch, new(seed, FirstStream + stream), threshold);
    }
}

/// <summary>Takes samples out of a cache of features.</summary>
internal static class Rows
{
    public static void Gather(ReadOnlySpan<int> rows, Tensor source, Tensor batch)
    {
        long bytes = batch.ByteCount / rows.Length;
        for (int i = 0; i < rows.Length; i++) Row(source, rows[i], bytes).CopyTo(batch.Bytes.Slice((int)(i * bytes)));
    }

    /// <summary>An element is taken from the student where its random bits lie below the threshold.</summary>
    public static void Mix(ReadOnlySpan<int> rows, Tensor teacher, Tensor student, Tensor batch, CounterHash hash, uint threshold)
    {
        int length = (int)(batch.ElementCount / rows.Length);
        Span<float> result = batch.Span<float>();
        for (int i = 0; i < rows.Length; i++)
        {
            ReadOnlySpan<float> plain = Floats(teacher, rows[i], length), quantized = Floats(student, rows[i], length);
            Mix(plain, quantized, result.Slice(i * length, length), hash, threshold, (uint)(i * length));
        }
    }

    /// <summary>The same memory with each sample in another layout of the same length.</summary>
    public static Tensor LayOut(Tensor features, Layout layout)
    {
        if (features.Layout == layout) return features;
        Tensor result = features.View(features.Type, features.Shape, 0, layout), sample = Tensor.AllocateUninitialized(features.Type, features.Shape.With(0, 1), layout);
        for (long row = 0; row < features.Shape[0]; row++)
        {
            Reorder.Run(features.Rows(row, 1), sample);
            sample.CopyTo(result.Rows(row, 1));
        }
        return result;
    }

    private static void Mix(ReadOnlySpan<float> plain, ReadOnlySpan<float> quantized, Span<float> result, CounterHash hash, uint threshold, uint first)
    {
        int i = 0;
        for (; i <= result.Length - Vector<float>.Count; i += Vector<float>.Count)
        {
            Vector<float> takes = Vector.LessThan(hash.From(first + (uint)i), new Vector<uint>(threshold)).As<uint, float>();
            Vector.ConditionalSelect(takes, new Vector<float>(quantized[i..]), new Vector<float>(plain[i..])).CopyTo(result[i..]);
        }
        for (; i < result.Length; i++) result[i] = hash[first + (uint)i] < threshold ? quantized[i] : plain[i];
    }

    private static unsafe ReadOnlySpan<byte> Row(Tensor source, int row, long bytes) => new(source.Address + row * bytes, (int)bytes);

    private static unsafe ReadOnlySpan<float> Floats(Tensor source, int row, int length) => new((float*)source.Address + (long)row * length, length);
}
