namespace Fewbit.Data.Images;

/// <summary>The filter of a resize.</summary>
public enum ResizeFilter
{
    /// <summary>Triangle filter of support 1.</summary>
    Bilinear,

    /// <summary>Cubic of Keys with a = -0.5, support 2.</summary>
    Bicubic,
}

/// <summary>Resizes and crops pictures exactly as Pillow and torchvision do.</summary>
public static class ImageResizer
{
    private const int FractionBits = 22;

    /// <summary>Antialiased resize: when shrinking, the filter widens by the scale. Byte for byte equal to Pillow's <c>Image.resize</c>.</summary>
    /// <param name="image">The picture; returned as it is where it has the size.</param>
    /// <param name="width">New width, at least 1.</param>
    /// <param name="height">New height, at least 1.</param>
    /// <param name="filter">The filter.</param>
    public static Image Resize(Image image, int width, int height, ResizeFilter filter = ResizeFilter.Bilinear)
    {
        ArgumentNullException.ThrowIfNull(image);
        ArgumentOutOfRangeException.ThrowIfLessThan(width, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(height, 1);
        // Horizontal first, with a rounding to bytes between the passes.
        if (image.Width != width) image = Horizontal(image, new Taps(image.Width, width, filter));
        if (image.Height != height) image = Vertical(image, new Taps(image.Height, height, filter));
        return image;
    }

    /// <summary>The centre of a picture; the corner is round-half-even((size - crop) / 2), as in torchvision. What lies outside the picture is black.</summary>
    public static Image CentreCrop(Image image, int width, int height)
    {
        ArgumentNullException.ThrowIfNull(image);
        ArgumentOutOfRangeException.ThrowIfLessThan(width, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(height, 1);
        if (image.Width == width && image.Height == height) return image;
        (int left, int top) = (Corner(image.Width, width), Corner(image.Height, height));
        var pixels = new byte[(long)width * height * image.Channels];
        int fromX = Math.Max(0, left), toX = Math.Min(image.Width, left + width);
        for (int y = Math.Max(0, -top); y < height && y + top < image.Height; y++)
        {
            image.Row(y + top)[(fromX * image.Channels)..(toX * image.Channels)]
                .CopyTo(pixels.AsSpan((y * width + fromX - left) * image.Channels));
        }
        return new Image(width, height, image.Channels, pixels);
    }

    // torchvision pads a picture that is too small by (crop - size) / 2 rounded down on the left and the top.
    private static int Corner(int size, int crop) => size < crop ? -((crop - size) / 2) : (int)Math.Round((size - crop) / 2.0, MidpointRounding.ToEven);

    private static Image Horizontal(Image image, Taps taps)
    {
        int channels = image.Channels, width = taps.Count;
        var pixels = new byte[(long)width * image.Height * channels];
        for (int y = 0, t = 0; y < image.Height; y++)
        {
            ReadOnlySpan<byte> row = image.Row(y);
            for (int x = 0; x < width; x++)
            {
                ReadOnlySpan<int> weights = taps.Weights(x);
                int first = taps.First(x) * channels;
                for (int c = 0; c < channels; c++, t++)
                {
                    int sum = 1 << (FractionBits - 1);
                    for (int i = 0, s = first + c; i < weights.Length; i++, s += channels) sum += row[s] * weights[i];
                    pixels[t] = Clip(sum);
                }
            }
        }
        return new Image(width, image.Height, channels, pixels);
    }

    private static Image Vertical(Image image, Taps taps)
    {
        int stride = image.Stride;
        var pixels = new byte[(long)stride * taps.Count];
        var sums = new int[stride];
        for (int y = 0; y < taps.Count; y++)
        {
            ReadOnlySpan<int> weights = taps.Weights(y);
            sums.AsSpan().Fill(1 << (FractionBits - 1));
            for (int i = 0; i < weights.Length; i++)
            {
                ReadOnlySpan<byte> row = image.Row(taps.First(y) + i);
                for (int x = 0; x < sums.Length; x++) sums[x] += row[x] * weights[i];
            }
            for (int x = 0; x < stride; x++) pixels[y * stride + x] = Clip(sums[x]);
        }
        return new Image(image.Width, taps.Count, image.Channels, pixels);
    }

    private static byte Clip(int sum) => (byte)Math.Clamp(sum >> FractionBits, 0, 255);

    /// <summary>For each output pixel the first input pixel and the weights, with 22 fraction bits.</summary>
    private sealed class Taps
    {
        private readonly int[] _first, _lengths, _weights;
        private readonly int _most;

        public Taps(int from, int to, ResizeFilter filter)
        {
            double scale = (double)from / to, widening = Math.Max(scale, 1), support = (filter == ResizeFilter.Bilinear ? 1 : 2) * widening;
            _most = (int)Math.Ceiling(support) * 2 + 1;
            (_first, _lengths, _weights) = (new int[to], new int[to], new int[checked(to * _most)]);
            var weights = new double[_most];
            for (int x = 0; x < to; x++)
            {
                double centre = (x + 0.5) * scale, sum = 0;
                int first = Math.Max(0, (int)(centre - support + 0.5));
                int length = Math.Min(from, (int)(centre + support + 0.5)) - first;
                for (int i = 0; i < length; i++) sum += weights[i] = Weight((i + first - centre + 0.5) * (1 / widening), filter);
                for (int i = 0; i < length; i++) _weights[x * _most + i] = Fix(sum == 0 ? weights[i] : weights[i] / sum);
                (_first[x], _lengths[x]) = (first, length);
            }
        }

        public int Count => _first.Length;

        public int First(int x) => _first[x];

        public ReadOnlySpan<int> Weights(int x) => _weights.AsSpan(x * _most, _lengths[x]);

        private static int Fix(double weight) => (int)(weight * (1 << FractionBits) + (weight < 0 ? -0.5 : 0.5));

        private static double Weight(double x, ResizeFilter filter)
        {
            const double a = -0.5;
            x = Math.Abs(x);
            if (filter == ResizeFilter.Bilinear) return x < 1 ? 1 - x : 0;
            if (x < 1) return ((a + 2) * x - (a + 3)) * x * x + 1;
            return x < 2 ? (((x - 5) * x + 8) * x - 4) * a : 0;
        }
    }
}
