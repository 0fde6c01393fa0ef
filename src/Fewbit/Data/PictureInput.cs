using Fewbit.Graphs;
using Fewbit.Tensors;

namespace Fewbit.Data;

/// <summary>What a model's input asks of a picture: layout, channels, and the size where the model fixes it.</summary>
/// <param name="Name">Name of the input.</param>
/// <param name="Type">Element type of the input.</param>
/// <param name="IsNhwc">True for [N, H, W, C], false for [N, C, H, W].</param>
/// <param name="Channels">1 or 3.</param>
/// <param name="Height">Rows; null where any number will do.</param>
/// <param name="Width">Columns; null where any number will do.</param>
/// <param name="Rank">4; 3 for grey pictures without a dimension of channels, [N, H, W]; 2 for square pictures as rows of numbers, [N, C*H*W].</param>
public sealed record PictureInput(string Name, ElementType Type, bool IsNhwc, int Channels, int? Height, int? Width, int Rank = 4)
{
    private const long SmallestFlatPicture = 64;

    /// <summary>The input as a picture; null where it cannot be one (no dimensions for rows and columns, not 1 or 3 channels, not a type that holds pixels).</summary>
    /// <param name="input">The model's input.</param>
    /// <param name="layout">The layout if it is known.</param>
    public static PictureInput? TryFrom(ValueInfo input, PictureLayout layout = PictureLayout.Auto)
    {
        ArgumentNullException.ThrowIfNull(input);
        if (input.Shape is not { Rank: >= 2 and <= 4 } shape) return null;
        if (input.Type is not (ElementType.Float32 or ElementType.Float16 or ElementType.Float64 or ElementType.UInt8 or ElementType.Int8)) return null;
        if (shape.Rank == 3) return new(input.Name, input.Type, false, 1, Length(shape[1]), Length(shape[2]), 3);
        if (shape.Rank == 2) return Flat(input, shape[1], layout);
        bool channelsFirst = IsChannels(shape[1]), channelsLast = IsChannels(shape[3]);
        bool isNhwc = layout switch
        {
            PictureLayout.Nchw => false,
            PictureLayout.Nhwc => true,
            _ => channelsLast && !channelsFirst,
        };
        Dim channels = shape[isNhwc ? 3 : 1];
        if (channels.IsKnown && !IsChannels(channels)) return null;
        (Dim height, Dim width) = isNhwc ? (shape[1], shape[2]) : (shape[2], shape[3]);
        return new(input.Name, input.Type, isNhwc, channels.IsKnown ? (int)channels.Length : 3, Length(height), Length(width));
    }

    /// <summary>The shape of a batch of pictures.</summary>
    internal Shape BatchShape(int count, int height, int width) => Rank == 3 ? [count, height, width]
        : Rank == 2 ? [count, (long)Channels * height * width]
        : IsNhwc ? [count, height, width, Channels] : [count, Channels, height, width];

    private static PictureInput? Flat(ValueInfo input, Dim length, PictureLayout layout)
    {
        if (!length.IsKnown || length.Length is < SmallestFlatPicture or > int.MaxValue) return null;
        foreach (int channels in (ReadOnlySpan<int>)[1, 3])
        {
            int side = (int)Math.Round(Math.Sqrt(length.Length / (double)channels));
            if ((long)side * side * channels == length.Length) return new(input.Name, input.Type, layout == PictureLayout.Nhwc, channels, side, side, 2);
        }
        return null;
    }

    private static bool IsChannels(Dim dim) => dim.IsKnown && dim.Length is (1 or 3);

    private static int? Length(Dim dim) => dim.IsKnown && dim.Length is > 0 and <= int.MaxValue ? (int)dim.Length : null;
}
