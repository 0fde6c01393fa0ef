using Fewbit.Data.Images;

namespace Fewbit.Tests.Data.Images;

public class PngDecoderTests
{
    private const int Width = 21, Height = 13;

    public static TheoryData<int, int> Kinds => new()
    {
        { 0, 1 }, { 0, 2 }, { 0, 4 }, { 0, 8 }, { 0, 16 }, { 2, 8 }, { 2, 16 }, { 3, 1 }, { 3, 2 }, { 3, 4 }, { 3, 8 }, { 4, 8 }, { 4, 16 }, { 6, 8 }, { 6, 16 },
    };

    [Theory]
    [MemberData(nameof(Kinds))]
    public void Decode_EachKindPlainAndInterlaced_GivesGreyOrRgbWithoutAlpha(int colourType, int depth)
    {
        foreach (bool interlaced in new[] { false, true })
        {
            foreach ((int width, int height) in new[] { (Width, Height), (1, 1), (3, 2), (1, 9), (9, 1), (8, 8) })
            {
                var header = new PngHeader(width, height, depth, colourType, interlaced);
                ushort[] samples = Samples(header);
                byte[] palette = [.. Enumerable.Range(0, 768).Select(i => (byte)(i * 29 + i / 3))];

                Image image = ImageDecoder.Decode(PngFile.Encode(width, height, colourType, depth, interlaced, samples, colourType == 3 ? palette : null), "kind.png");

                Assert.Equal((width, height, header.Channels), (image.Width, image.Height, image.Channels));
                Assert.Equal(Expected(header, samples, palette), image.Pixels);
            }
        }
    }

    [Fact]
    public void Decode_PaletteTooShort_GivesTheIndexAsGreyLikePillow()
    {
        Image image = ImageDecoder.Decode(PngFile.Encode(2, 1, 3, 8, false, [0, 200], [1, 2, 3]), "short.png");

        Assert.Equal([1, 2, 3, 200, 200, 200], image.Pixels);
    }

    [Fact]
    public void Decode_TruncatedAnywhere_NamesTheFile()
    {
        byte[] file = PngFile.Encode(Width, Height, 2, 8, true, Samples(new(Width, Height, 8, 2, true)));
        for (int length = 0; length < file.Length; length++)
            Assert.StartsWith("cut.png: ", Assert.Throws<InvalidDataException>(() => ImageDecoder.Decode(file.AsSpan(0, length), "cut.png")).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Decode_AnyDamagedByte_NamesTheFile()
    {
        byte[] file = PngFile.Encode(Width, Height, 6, 8, false, Samples(new(Width, Height, 8, 6, false)));
        for (int i = 0; i < file.Length; i++)
        {
            byte[] damaged = [.. file];
            damaged[i] ^= 0x10;
            Assert.StartsWith("bad.png: ", Assert.Throws<InvalidDataException>(() => ImageDecoder.Decode(damaged, "bad.png")).Message, StringComparison.Ordinal);
        }
    }

    [Fact]
    public void Decode_HeaderOfManyPixels_IsRefused()
    {
        Assert.Equal("huge.png: is 65536 x 65536 pixels, more than the limit of 268435456; scale it down", Refusal(65536, 65536));
        Assert.StartsWith("huge.png: is truncated: 10000 x 10000 PNG needs more than its", Refusal(10000, 10000), StringComparison.Ordinal);
        Assert.StartsWith("huge.png: is 0 x 5 pixels", Refusal(0, 5), StringComparison.Ordinal);
    }

    [Fact]
    public void Decode_InvalidDeflateStream_IsDamaged()
    {
        var file = new MemoryStream();
        file.Write(PngFile.Encode(4, 4, 0, 8, false, new ushort[16]).AsSpan(0, 8 + 25));
        PngFile.WriteChunk(file, "IDAT"u8, [1, 2, 3, 4, 5, 6, 7, 8]);
        PngFile.WriteChunk(file, "IEND"u8, []);

        Assert.Equal("bad.png: is damaged: the compressed PNG data are invalid",
            Assert.Throws<InvalidDataException>(() => ImageDecoder.Decode(file.ToArray(), "bad.png")).Message);
    }

    [Fact]
    public void Decode_OtherFormat_ShowsItsFirstBytes() =>
        Assert.Equal("a.bmp: is not a PNG or JPEG picture (it starts with 424D00, 3 bytes); convert it to PNG or JPEG",
            Assert.Throws<InvalidDataException>(() => ImageDecoder.Decode([0x42, 0x4D, 0], "a.bmp")).Message);

    private static string Refusal(int width, int height)
    {
        byte[] file = PngFile.Encode(4, 4, 0, 8, false, new ushort[16]);
        var patched = new MemoryStream();
        patched.Write(file.AsSpan(0, 8));
        PngFile.WriteChunk(patched, "IHDR"u8,
            [(byte)(width >> 24), (byte)(width >> 16), (byte)(width >> 8), (byte)width, (byte)(height >> 24), (byte)(height >> 16), (byte)(height >> 8), (byte)height, 8, 0, 0, 0, 0]);
        patched.Write(file.AsSpan(8 + 25));
        return Assert.Throws<InvalidDataException>(() => ImageDecoder.Decode(patched.ToArray(), "huge.png")).Message;
    }

    private static ushort[] Samples(PngHeader header)
    {
        int max = (1 << header.BitDepth) - 1;
        return [.. Enumerable.Range(0, header.Width * header.Height * header.Samples).Select(i => (ushort)((i * 40503 + i * i / 3) & max))];
    }

    private static byte[] Expected(PngHeader header, ushort[] samples, byte[] palette)
    {
        if (header.ColourType == PngHeader.Palette) return [.. samples.SelectMany(index => palette.AsSpan(3 * index, 3).ToArray())];
        int max = (1 << header.BitDepth) - 1;
        return [.. samples.Chunk(header.Samples).SelectMany(pixel => pixel.Take(header.Channels)).Select(value => (byte)(header.BitDepth == 16 ? value >> 8 : value * 255 / max))];
    }
}
