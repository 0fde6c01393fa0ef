using Fewbit.Data.Images;
using Fewbit.Tensors;

namespace Fewbit.Data.Training;

/// <summary>Writes augmented pictures as normalized numbers of one input. Thread-safe; allocates nothing.</summary>
internal sealed class PictureWriter
{
    private readonly AugmentationOptions _options;
    private readonly PictureInput _input;
    private readonly float[][] _values; // by channel in the model's order, then by byte
    private readonly bool _isReversed;

    /// <exception cref="ArgumentException">The input is not float32.</exception>
    public PictureWriter(PicturePreprocessor pictures, AugmentationOptions options)
    {
        (_input, _options, _values, _isReversed) = (pictures.Input, options, pictures.ChannelValues, pictures.IsReversed);
        if (_input.Type != ElementType.Float32) throw new ArgumentException($"input '{_input.Name}' is {_input.Type.Name()}, training on pictures needs float32", nameof(pictures));
    }

    /// <param name="image">A fitted picture.</param>
    /// <param name="change">What happens to it.</param>
    /// <param name="target">The picture's numbers in the batch.</param>
    public void Write(Image image, PictureChange change, Span<float> target)
    {
        int channels = _input.Channels, width = image.Width, height = image.Height;
        (int pixelStep, int channelStep) = _input.IsNhwc ? (channels, 1) : (1, width * height);
        for (int c = 0; c < channels; c++)
        {
            float[] table = _values[c];
            float around = _options.CropFill == CropFill.Black ? table[0] : 0;
            int from = _isReversed ? channels - 1 - c : c;
            for (int y = 0; y < height; y++)
            {
                int sourceY = y + change.Top, at = y * width * pixelStep + c * channelStep;
                ReadOnlySpan<byte> row = (uint)sourceY < (uint)height ? image.Row(sourceY) : [];
                for (int x = 0; x < width; x++, at += pixelStep)
                {
                    int sourceX = (change.IsFlipped ? width - 1 - x : x) + change.Left, byteAt = sourceX * channels + from;
                    // An empty row lies around the picture too.
                    target[at] = (uint)sourceX < (uint)width && (uint)byteAt < (uint)row.Length ? table[row[byteAt]] : around;
                }
            }
        }
        if (_options.CutoutSide > 0) CutOut(change, target, width, height, pixelStep, channelStep);
    }

    private void CutOut(PictureChange change, Span<float> target, int width, int height, int pixelStep, int channelStep)
    {
        int side = _options.CutoutSide, left = change.CutoutX - side / 2, top = change.CutoutY - side / 2;
        for (int y = Math.Max(0, top); y < Math.Min(height, top + side); y++)
            for (int x = Math.Max(0, left); x < Math.Min(width, left + side); x++)
                for (int c = 0; c < _input.Channels; c++) target[(y * width + x) * pixelStep + c * channelStep] = 0;
    }
}
