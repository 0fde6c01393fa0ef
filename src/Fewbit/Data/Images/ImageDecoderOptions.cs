namespace Fewbit.Data.Images;

/// <summary>Settings of <see cref="ImageDecoder"/>.</summary>
public sealed record ImageDecoderOptions
{
    /// <summary>The defaults.</summary>
    public static ImageDecoderOptions Default { get; } = new();

    /// <summary>Pixels (width times height) above which a picture is refused before memory is taken, 1 to 2^29. Default 2^28.</summary>
    public long MaxPixels
    {
        get;
        init => field = value is >= 1 and <= 1L << 29 ? value : throw new ArgumentOutOfRangeException(nameof(value), value, "MaxPixels must be in [1, 2^29]");
    } = 1L << 28;

    /// <summary>Turns the picture upright as its EXIF orientation says. Default true.</summary>
    public bool ApplyOrientation { get; init; } = true;
}
