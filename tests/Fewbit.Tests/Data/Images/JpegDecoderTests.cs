using System.Security.Cryptography;
using Fewbit.Data.Images;

namespace Fewbit.Tests.Data.Images;

public class JpegDecoderTests
{
    public static TheoryData<string, string, int> Fixtures => new()
    {
        { JpegFixtures.Yuv420, JpegFixtures.Yuv420Pixels, 3 },
        { JpegFixtures.Yuv422, JpegFixtures.Yuv422Pixels, 3 },
        { JpegFixtures.Yuv440, JpegFixtures.Yuv440Pixels, 3 },
        { JpegFixtures.Yuv444, JpegFixtures.Yuv444Pixels, 3 },
        { JpegFixtures.Yuv411, JpegFixtures.Yuv411Pixels, 3 },
        { JpegFixtures.Grey, JpegFixtures.GreyPixels, 1 },
        { JpegFixtures.Rgb, JpegFixtures.RgbPixels, 3 },
        { JpegFixtures.Restart, JpegFixtures.RestartPixels, 3 },
        { JpegFixtures.Progressive, JpegFixtures.ProgressivePixels, 3 },
        { JpegFixtures.ProgressiveRestart, JpegFixtures.ProgressiveRestartPixels, 3 },
        { JpegFixtures.ThreeScans, JpegFixtures.ThreeScansPixels, 3 },
        { JpegFixtures.Cmyk, JpegFixtures.CmykPixels, 3 },
        { JpegFixtures.Ycck, JpegFixtures.YcckPixels, 3 },
    };

    [Theory]
    [MemberData(nameof(Fixtures))]
    public void Decode_EachKind_EqualsDjpeg(string file, string pixels, int channels)
    {
        Image image = ImageDecoder.Decode(Convert.FromBase64String(file), "fixture.jpg");

        Assert.Equal((27, 21, channels), (image.Width, image.Height, image.Channels));
        Assert.Equal(pixels, Convert.ToHexString(SHA256.HashData(image.Pixels)));
    }

    [Theory]
    [MemberData(nameof(Fixtures))]
    public void Decode_TruncatedAnywhere_NamesTheFile(string file, string pixels, int channels)
    {
        byte[] bytes = Convert.FromBase64String(file);
        // A sequential picture is whole without its two-byte end marker; one byte more is missed by the last coefficients alone.
        for (int length = 0; length < bytes.Length - 4; length++)
        {
            string message = Assert.Throws<InvalidDataException>(() => ImageDecoder.Decode(bytes.AsSpan(0, length), "cut.jpg")).Message;
            Assert.StartsWith("cut.jpg: ", message, StringComparison.Ordinal);
        }
        Assert.NotEmpty(pixels);
        Assert.InRange(channels, 1, 3);
    }

    [Theory]
    [MemberData(nameof(Fixtures))]
    public void Decode_DamagedBytes_DecodesOrNamesTheFile(string file, string pixels, int channels)
    {
        byte[] bytes = Convert.FromBase64String(file);
        uint state = (uint)(pixels.Length + channels);
        for (int trial = 0; trial < 300; trial++)
        {
            byte[] damaged = [.. bytes];
            for (int change = 0; change < 3; change++)
            {
                state = state * 1664525 + 1013904223;
                damaged[3 + state % (uint)(bytes.Length - 3)] = (byte)(state >> 24);
            }
            try
            {
                Image image = ImageDecoder.Decode(damaged, "bad.jpg", new() { MaxPixels = 1 << 20 });
                Assert.Equal(image.Width * image.Height * image.Channels, image.Pixels.Length);
            }
            catch (InvalidDataException problem)
            {
                Assert.StartsWith("bad.jpg: ", problem.Message, StringComparison.Ordinal);
            }
        }
    }

    [Fact]
    public void Decode_HeaderOfManyPixels_IsRefused()
    {
        byte[] bytes = Convert.FromBase64String(JpegFixtures.Grey);
        int frame = bytes.AsSpan().IndexOf<byte>([0xFF, 0xC0]);
        new byte[] { 0xFF, 0xFF, 0xFF, 0xFF }.CopyTo(bytes, frame + 5);
        Assert.Equal("huge.jpg: is 65535 x 65535 pixels, more than the limit of 268435456; scale it down",
            Assert.Throws<InvalidDataException>(() => ImageDecoder.Decode(bytes, "huge.jpg")).Message);

        new byte[] { 0x10, 0x00, 0x10, 0x00 }.CopyTo(bytes, frame + 5);
        Assert.Equal($"big.jpg: is truncated: 4096 x 4096 JPEG of 262144 blocks needs more than the {bytes.Length} bytes the file has",
            Assert.Throws<InvalidDataException>(() => ImageDecoder.Decode(bytes, "big.jpg")).Message);
    }

    [Fact]
    public void Decode_ArithmeticCoding_SaysWhatToDo()
    {
        byte[] bytes = Convert.FromBase64String(JpegFixtures.Grey);
        bytes[bytes.AsSpan().IndexOf<byte>([0xFF, 0xC0]) + 1] = 0xC9;
        Assert.Equal("a.jpg: is an arithmetic-coded or lossless JPEG (marker FFC9), expected baseline, extended sequential or progressive Huffman coding; convert it, for example with jpegtran",
            Assert.Throws<InvalidDataException>(() => ImageDecoder.Decode(bytes, "a.jpg")).Message);
    }

    [Theory]
    [InlineData(1, 27, 21)]
    [InlineData(3, 27, 21)]
    [InlineData(6, 21, 27)]
    [InlineData(8, 21, 27)]
    public void Decode_ExifOrientation_TurnsUprightUnlessToldNot(int orientation, int width, int height)
    {
        byte[] bytes = Convert.FromBase64String(JpegFixtures.Grey);
        byte[] exif = [0xFF, 0xE1, 0, 34, .. "Exif\0\0MM\0*"u8, 0, 0, 0, 8, 0, 1, 0x01, 0x12, 0, 3, 0, 0, 0, 1, 0, (byte)orientation, 0, 0, 0, 0, 0, 0];
        byte[] tagged = [.. bytes.AsSpan(0, 2), .. exif, .. bytes.AsSpan(2)];
        Image plain = ImageDecoder.Decode(bytes, "plain.jpg");

        Image turned = ImageDecoder.Decode(tagged, "turned.jpg");

        Assert.Equal((width, height), (turned.Width, turned.Height));
        Assert.Equal(ExifOrientation.Apply(plain, orientation).Pixels, turned.Pixels);
        Assert.Equal(plain.Pixels, ImageDecoder.Decode(tagged, "kept.jpg", new() { ApplyOrientation = false }).Pixels);
    }

    [Theory]
    [InlineData(1, "abcdef", 3)]
    [InlineData(2, "cbafed", 3)]
    [InlineData(3, "fedcba", 3)]
    [InlineData(4, "defabc", 3)]
    [InlineData(5, "adbecf", 2)]
    [InlineData(6, "daebfc", 2)]
    [InlineData(7, "fcebda", 2)]
    [InlineData(8, "cfbead", 2)]
    public void Apply_EachOrientation_MovesPixelsAsPillow(int orientation, string expected, int width)
    {
        Image upright = ExifOrientation.Apply(new Image(3, 2, 1, [.. "abcdef"u8]), orientation);

        Assert.Equal(width, upright.Width);
        Assert.Equal(expected, System.Text.Encoding.ASCII.GetString(upright.Pixels));
    }
}
