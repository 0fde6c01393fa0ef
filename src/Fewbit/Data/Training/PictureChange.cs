using Fewbit.Tensors;

namespace Fewbit.Data.Training;

/// <summary>What happens to one picture: where it is cut, whether it is mirrored, which square is blanked.</summary>
/// <param name="Left">Column of the padded picture's own coordinates where the cut starts: -padding to padding.</param>
/// <param name="Top">Row where the cut starts.</param>
/// <param name="IsFlipped">Whether the cut is mirrored left to right.</param>
/// <param name="CutoutX">Centre of the blanked square, after cut and mirroring.</param>
/// <param name="CutoutY">Centre of the blanked square.</param>
internal readonly record struct PictureChange(int Left, int Top, bool IsFlipped, int CutoutX, int CutoutY)
{
    /// <summary>Draws all five numbers whatever the options, so that each depends on the sample alone.</summary>
    public static PictureChange Draw(ref SeededRandom random, AugmentationOptions options, int width, int height)
    {
        int padding = options.CropPadding, left = random.NextInt(2 * padding + 1) - padding, top = random.NextInt(2 * padding + 1) - padding;
        bool isFlipped = random.NextInt(2) == 1 && options.Flip;
        return new(left, top, isFlipped, random.NextInt(width), random.NextInt(height));
    }
}
