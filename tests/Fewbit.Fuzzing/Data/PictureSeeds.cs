using Fewbit.Data.Images;
using Fewbit.Tests.Data.Images;

namespace Fewbit.Fuzzing.Data;

/// <summary>Pictures: PNG of every kind with random pixels, JPEG from the decoder's own fixtures.</summary>
internal static class PictureSeeds
{
    private static readonly byte[][] Jpegs =
    [
        .. ((string[])
        [
            JpegFixtures.Yuv420, JpegFixtures.Yuv422, JpegFixtures.Yuv440, JpegFixtures.Yuv444, JpegFixtures.Yuv411, JpegFixtures.Grey, JpegFixtures.Rgb, JpegFixtures.Restart,
            JpegFixtures.Progressive, JpegFixtures.ProgressiveRestart, JpegFixtures.ThreeScans, JpegFixtures.Cmyk, JpegFixtures.Ycck,
        ]).Select(Convert.FromBase64String),
    ];

    private static readonly (int Type, int Depth)[] PngKinds = [(0, 1), (0, 2), (0, 4), (0, 8), (0, 16), (2, 8), (2, 16), (3, 1), (3, 2), (3, 4), (3, 8), (4, 8), (4, 16), (6, 8), (6, 16)];

    public static byte[] Jpeg(Random random) => Jpegs[random.Next(Jpegs.Length)];

    /// <summary>A PNG whose header, palette, chunks and compressed rows may be wrong, while its checksums are right.</summary>
    public static byte[] Png(Random random, bool isValid)
    {
        (int type, int depth) = PngKinds[random.Next(PngKinds.Length)];
        var header = new PngHeader(random.Next(1, 40), random.Next(1, 30), depth, type, random.Next(2) == 0);
        byte[] rows = Rows(header, random);
        byte[] ihdr = [.. Zips.BigEndian(header.Width), .. Zips.BigEndian(header.Height), (byte)depth, (byte)type, 0, 0, (byte)(header.IsInterlaced ? 1 : 0)];
        byte[] palette = new byte[3 * random.Next(1, 257)], exif = [(byte)'I', (byte)'I', 42, 0, 8, 0, 0, 0, 1, 0, 0x12, 1, 3, 0, 1, 0, 0, 0, (byte)random.Next(10), 0, 0, 0];
        byte[] compressed = Zips.ZLib(rows);
        List<byte[]> chunks = [Zips.Chunk("IHDR", ihdr), Zips.Chunk("PLTE", palette), Zips.Chunk("eXIf", exif), Zips.Chunk("IDAT", compressed), Zips.Chunk("IEND", [])];
        if (!isValid) Damage(random, chunks, ihdr, rows, compressed, exif, palette);
        return [0x89, (byte)'P', (byte)'N', (byte)'G', 13, 10, 26, 10, .. chunks.SelectMany(chunk => chunk)];
    }

    private static byte[] Rows(PngHeader header, Random random)
    {
        var rows = new List<byte>();
        foreach (PngPass pass in header.Passes())
        {
            var row = new byte[header.RowBytes(pass.Width(header.Width))];
            for (int y = 0; y < pass.Height(header.Height); y++)
            {
                random.NextBytes(row);
                rows.Add((byte)random.Next(5));
                rows.AddRange(row);
            }
        }
        return [.. rows];
    }

    private static void Damage(Random random, List<byte[]> chunks, byte[] ihdr, byte[] rows, byte[] compressed, byte[] exif, byte[] palette)
    {
        for (int changes = random.Next(1, 4); changes > 0; changes--)
        {
            switch (random.Next(7))
            {
                case 0:
                    Zips.BigEndian((int)Interesting.Integer(random)).CopyTo(ihdr, random.Next(2) * 4);
                    chunks[0] = Zips.Chunk("IHDR", ihdr);
                    break;
                case 1:
                    ihdr[8 + random.Next(5)] = (byte)random.Next(20);
                    chunks[0] = Zips.Chunk("IHDR", ihdr);
                    break;
                case 2: chunks[Math.Min(3, chunks.Count - 1)] = Zips.Chunk("IDAT", Zips.ZLib(ByteMutations.Apply(rows, random, ihdr))); break;
                case 3: chunks[Math.Min(3, chunks.Count - 1)] = Zips.Chunk("IDAT", ByteMutations.Apply(compressed, random, ihdr)); break;
                case 4: chunks.Insert(random.Next(chunks.Count), Zips.Chunk("eXIf", ByteMutations.Apply(exif, random, exif))); break;
                case 5: chunks.Insert(random.Next(chunks.Count), Zips.Chunk("PLTE", palette[..random.Next(palette.Length)])); break;
                default: chunks.RemoveAt(random.Next(chunks.Count)); break;
            }
            if (chunks.Count == 0) return;
        }
    }
}
