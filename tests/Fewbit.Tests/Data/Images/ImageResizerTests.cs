using System.Security.Cryptography;
using Fewbit.Data.Images;

namespace Fewbit.Tests.Data.Images;

public class ImageResizerTests
{
    // SHA-256 of the bytes that Pillow 9.4 gives for the same picture.
    [Theory]
    [InlineData(40, 31, 3, 17, 13, ResizeFilter.Bilinear, "339A98B52067F2C106CEC89DD4D75891B7913F5F02E43FE76E0CB5C076AD4AFC")]
    [InlineData(40, 31, 3, 17, 13, ResizeFilter.Bicubic, "F5027C1119867E429FD0A12829BFFDBB2B309457B3515AE31D31D40066E74416")]
    [InlineData(23, 19, 1, 50, 61, ResizeFilter.Bilinear, "33081839DD04E9F98E157967B8796232AB99ABDB3535A33B6272963F59CC09BD")]
    [InlineData(23, 19, 1, 50, 61, ResizeFilter.Bicubic, "D6E7A7F4AB75DC576507BEF7F6A44C26955821B56C2B24BC131D33EDAA9B7463")]
    [InlineData(64, 3, 3, 5, 3, ResizeFilter.Bilinear, "15B4EE7F476A2EF7E19996AC63985D88B72A1AA894DCA9E9FF32574BC7E09B41")]
    [InlineData(300, 200, 3, 33, 22, ResizeFilter.Bicubic, "609D562C3700649E42C6A9882FF1BF5084B0665BAC84BAB77E38363D70E9602E")]
    public void Resize_UpAndDown_EqualsPillowByteForByte(int width, int height, int channels, int newWidth, int newHeight, ResizeFilter filter, string expected)
    {
        Image resized = ImageResizer.Resize(Picture(width, height, channels), newWidth, newHeight, filter);

        Assert.Equal(expected, Convert.ToHexString(SHA256.HashData(resized.Pixels)));
    }

    [Fact]
    public void Resize_SameSize_ReturnsThePicture()
    {
        Image image = Picture(5, 4, 3);
        Assert.Same(image, ImageResizer.Resize(image, 5, 4));
    }

    [Theory]
    [InlineData(6, 3, 2)] // 1.5 rounds to 2
    [InlineData(8, 3, 2)] // 2.5 rounds to 2
    [InlineData(7, 3, 2)]
    [InlineData(3, 3, 0)]
    public void CentreCrop_OddMargin_RoundsHalfToEvenLikeTorchvision(int size, int crop, int left)
    {
        Image row = new(size, 1, 1, [.. Enumerable.Range(0, size).Select(x => (byte)x)]);

        Assert.Equal(left, ImageResizer.CentreCrop(row, crop, 1).Pixels[0]);
    }

    [Fact]
    public void CentreCrop_PictureTooSmall_PadsWithBlack() =>
        Assert.Equal([0, 7, 8, 0, 0], ImageResizer.CentreCrop(new Image(2, 1, 1, [7, 8]), 5, 1).Pixels);

    private static Image Picture(int width, int height, int channels)
    {
        var pixels = new byte[width * height * channels];
        for (int y = 0, i = 0; y < height; y++)
            for (int x = 0; x < width; x++)
                for (int c = 0; c < channels; c++, i++) pixels[i] = (byte)(x * x * 3 + y * 17 + c * 91 + x * y % 29 * 7);
        return new Image(width, height, channels, pixels);
    }
}
