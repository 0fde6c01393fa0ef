using Fewbit.Data.Images;

namespace Fewbit.Data;

/// <summary>Settings of <see cref="DataSetReader"/>.</summary>
public sealed record DataSetOptions
{
    /// <summary>The order of the model's classes, which turns folder names and label texts into indices; null: alphabetical.</summary>
    public LabelMap? Labels { get; init; }

    /// <summary>A regular expression on file names whose first group is the class, as an index or a name; null: found by itself.</summary>
    public string? LabelPattern { get; init; }

    /// <summary>The array of an .npz file, or the .npy file, that holds the labels; null: "labels", "label", "y" or "targets".</summary>
    public string? LabelKey { get; init; }

    /// <summary>How pictures are decoded.</summary>
    public ImageDecoderOptions Images { get; init; } = ImageDecoderOptions.Default;

    /// <summary>Bytes of arrays (.npy, .npz, IDX) above which a file is refused, at least 1. Default 16 GiB.</summary>
    public long MaxArrayBytes
    {
        get;
        init => field = value >= 1 ? value : throw new ArgumentOutOfRangeException(nameof(value), value, "MaxArrayBytes must be at least 1");
    } = 16L << 30;
}
