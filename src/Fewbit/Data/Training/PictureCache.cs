using Fewbit.Data.Images;

namespace Fewbit.Data.Training;

/// <summary>Fitted pictures of a data set, kept in memory up to a budget. Thread-safe.</summary>
/// <param name="data">The pictures.</param>
/// <param name="pictures">Fits them to the model.</param>
/// <param name="budget">Bytes of pixels to keep.</param>
internal sealed class PictureCache(DataSet data, PicturePreprocessor pictures, long budget)
{
    private readonly Image?[] _images = new Image?[data.Count];
    private Image? _first;
    private long _bytes;

    /// <summary>The first picture, whose size all others must have.</summary>
    public Image First => _first ??= Load(0);

    /// <exception cref="InvalidDataException">The picture is damaged or of another size than the first.</exception>
    public Image Get(int index)
    {
        if (_images[index] is { } kept) return kept;
        Image image = Load(index), first = First;
        if (image.Width != first.Width || image.Height != first.Height)
        {
            throw new InvalidDataException($"{data.NameOf(index)}: is {image.Width} x {image.Height} pixels, the first picture of the data is {first.Width} x {first.Height}; "
                + "a training batch has one size: set 'size' in the preprocessing");
        }
        // Two threads may both load a picture; then it is counted twice, which only fills the budget earlier.
        if (Interlocked.Add(ref _bytes, image.Pixels.Length) <= budget) _images[index] = image;
        return image;
    }

    private Image Load(int index)
    {
        Image image = pictures.Fit(data.Read(index).Picture!, data.NameOf(index));
        return image.Channels == pictures.Input.Channels ? image : image.ToStudioLuma();
    }
}
