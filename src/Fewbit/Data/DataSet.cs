using Fewbit.Data.Images;
using Fewbit.Tensors;

namespace Fewbit.Data;

/// <summary>One item of a data set: a picture, or a tensor for each input, without the batch dimension.</summary>
/// <param name="Picture">The decoded picture, before any preprocessing; null where the item is arrays.</param>
/// <param name="Arrays">Tensors by name; null where the item is a picture.</param>
public sealed record Sample(Image? Picture, IReadOnlyDictionary<string, Tensor>? Arrays)
{
    /// <summary>A picture as a sample.</summary>
    public static Sample Of(Image picture) => new(picture, null);

    /// <summary>Arrays as a sample.</summary>
    public static Sample Of(IReadOnlyDictionary<string, Tensor> arrays) => new(null, arrays);
}

/// <summary>Samples by index, read one at a time, with labels where they are known.</summary>
public abstract class DataSet
{
    /// <summary>One line for people: what was found and where the labels come from.</summary>
    public abstract string Description { get; }

    /// <summary>Number of samples.</summary>
    public abstract int Count { get; }

    /// <summary>Class index of each sample, at least 0; null where the data have no labels.</summary>
    public virtual IReadOnlyList<int>? Labels => null;

    /// <summary>Name of each class by index; null where unknown.</summary>
    public virtual IReadOnlyList<string>? ClassNames => null;

    /// <summary>True where samples are pictures, which need preprocessing.</summary>
    public virtual bool IsPictures => true;

    /// <summary>Reads a sample. Thread-safe.</summary>
    /// <param name="index">0 to Count - 1.</param>
    /// <exception cref="InvalidDataException">The sample is damaged; the message names it.</exception>
    public abstract Sample Read(int index);

    /// <summary>The name that messages give a sample: its file, or its number in the file.</summary>
    public abstract string NameOf(int index);

    /// <summary>How many times wider and higher than the samples their targets are; null where the data have no targets.</summary>
    public virtual int? TargetScale => null;

    /// <summary>What a model should make of a picture, decoded; null where the data have no such targets. Thread-safe.</summary>
    /// <param name="index">0 to Count - 1.</param>
    /// <exception cref="InvalidDataException">The target is damaged; the message names it.</exception>
    public virtual Image? ReadTarget(int index) => null;

    /// <summary>Some of the samples, in the given order.</summary>
    /// <param name="indices">Indices into this data set.</param>
    /// <param name="what">What the choice is, for the description: "512 drawn with seed 1".</param>
    public DataSet Subset(IReadOnlyList<int> indices, string what)
    {
        ArgumentNullException.ThrowIfNull(indices);
        foreach (int index in indices) ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual((uint)index, (uint)Count, nameof(indices));
        return new SubsetOf(this, [.. indices], what);
    }

    private sealed class SubsetOf(DataSet all, int[] indices, string what) : DataSet
    {
        public override string Description => $"{what}, of {all.Description}";
        public override int Count => indices.Length;
        public override IReadOnlyList<int>? Labels { get; } = all.Labels is { } labels ? [.. indices.Select(index => labels[index])] : null;
        public override IReadOnlyList<string>? ClassNames => all.ClassNames;
        public override bool IsPictures => all.IsPictures;
        public override Sample Read(int index) => all.Read(indices[index]);
        public override string NameOf(int index) => all.NameOf(indices[index]);
        public override int? TargetScale => all.TargetScale;
        public override Image? ReadTarget(int index) => all.ReadTarget(indices[index]);
    }
}
