using System.Globalization;
using Fewbit.Data.Images;
using Fewbit.Tensors;

namespace Fewbit.Data.Arrays;

/// <summary>Samples held in memory as tensors whose first dimension is the sample. A single uint8 array that looks like pictures is read as pictures.</summary>
public sealed class ArrayDataSet : DataSet
{
    private readonly IReadOnlyDictionary<string, Tensor> _arrays;
    private readonly Tensor? _pictures;
    private readonly string _source;

    /// <param name="arrays">Tensors by name, [N, ...] each.</param>
    /// <param name="labels">Class index of each sample, or null.</param>
    /// <param name="source">Where the arrays come from, for messages.</param>
    /// <param name="classNames">Name of each class, or null.</param>
    /// <exception cref="InvalidDataException">The first dimensions differ from each other or from the number of labels.</exception>
    public ArrayDataSet(IReadOnlyDictionary<string, Tensor> arrays, IReadOnlyList<int>? labels = null, string source = "arrays", IReadOnlyList<string>? classNames = null)
    {
        ArgumentNullException.ThrowIfNull(arrays);
        if (arrays.Count == 0) throw new InvalidDataException($"{source}: holds labels alone, expected at least one array of samples");
        (_arrays, _source, Labels, ClassNames) = (arrays, source, labels, classNames);
        (string first, Tensor array) = arrays.First();
        if (array.Rank == 0) throw new InvalidDataException($"{source}: array '{first}' is a single {array.Type.Name()} number, expected the number of samples as its first dimension");
        foreach ((string name, Tensor other) in arrays)
        {
            if (other.Rank == 0 || other.Shape[0] != array.Shape[0])
                throw new InvalidDataException($"{source}: array '{name}' is {other}, '{first}' is {array}; expected the number of samples as the first dimension of both");
        }
        if (array.ElementCount == 0) throw new InvalidDataException($"{source}: array '{first}' is {array}: no samples");
        if (array.Shape[0] > int.MaxValue) throw new InvalidDataException($"{source}: array '{first}' is {array}: more than {int.MaxValue} samples");
        Count = (int)array.Shape[0];
        if (labels is not null && labels.Count != Count) throw new InvalidDataException($"{source}: has {Count} samples and {labels.Count} labels");
        if (arrays.Count == 1 && LooksLikePictures(array)) _pictures = array;
        string what = _pictures is not null ? $"pictures {array}" : string.Join(", ", arrays.Select(pair => $"'{pair.Key}' {pair.Value}"));
        Description = string.Create(CultureInfo.InvariantCulture, $"{Count} samples of {source}: {what}, {(labels is null ? "no labels" : $"{labels.Distinct().Count()} classes")}");
    }

    /// <inheritdoc/>
    public override string Description { get; }

    /// <inheritdoc/>
    public override int Count { get; }

    /// <inheritdoc/>
    public override IReadOnlyList<int>? Labels { get; }

    /// <inheritdoc/>
    public override IReadOnlyList<string>? ClassNames { get; }

    /// <inheritdoc/>
    public override bool IsPictures => _pictures is not null;

    /// <inheritdoc/>
    public override string NameOf(int index) => $"{_source} sample {index.ToString(CultureInfo.InvariantCulture)}";

    /// <inheritdoc/>
    public override Sample Read(int index) => _pictures is not null
        ? Sample.Of(Picture(_pictures.Rows(index, 1)))
        : Sample.Of(_arrays.ToDictionary(pair => pair.Key, pair => Item(pair.Value, index), StringComparer.Ordinal));

    private static Tensor Item(Tensor array, int index) => array.Rows(index, 1).Reshape(new Shape(array.Shape.Dims[1..]));

    /// <summary>uint8 [N, H, W], [N, H, W, 1 or 3] or [N, 1 or 3, H, W].</summary>
    private static bool LooksLikePictures(Tensor array) => array.Type == ElementType.UInt8
        && (array.Rank == 3 || array.Rank == 4 && (array.Shape[1] is 1 or 3 || array.Shape[3] is 1 or 3)) && array.Shape.CountOf(1, array.Rank) is > 0 and < int.MaxValue;

    private static Image Picture(Tensor item)
    {
        byte[] pixels = item.Span<byte>().ToArray();
        Shape shape = item.Shape;
        if (shape.Rank == 3) return new Image((int)shape[2], (int)shape[1], 1, pixels);
        if (shape[3] is 1 or 3) return new Image((int)shape[2], (int)shape[1], (int)shape[3], pixels);
        (int channels, int height, int width) = ((int)shape[1], (int)shape[2], (int)shape[3]);
        var interleaved = new byte[pixels.Length];
        int plane = height * width;
        for (int c = 0; c < channels; c++)
            for (int i = 0; i < plane; i++) interleaved[i * channels + c] = pixels[c * plane + i];
        return new Image(width, height, channels, interleaved);
    }
}
