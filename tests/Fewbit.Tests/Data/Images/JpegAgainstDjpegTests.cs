using System.Diagnostics;
using Fewbit.Data.Images;
using Fewbit.Testing;

namespace Fewbit.Tests.Data.Images;

/// <summary>Every pixel of real pictures, and of versions made with the tools of libjpeg-turbo, against djpeg.</summary>
public sealed class JpegAgainstDjpegTests : IDisposable
{
    private static readonly ImageDecoderOptions AsStored = new() { ApplyOrientation = false };
    private readonly string _folder = Directory.CreateTempSubdirectory("fewbit-jpeg").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [ToolFact("djpeg", "imagenet/images", "detection/images")]
    public void Decode_RealPictures_EqualsDjpegPixelForPixel()
    {
        string[] files = [.. Directory.GetFiles(Oracles.Data("imagenet/images")), .. Directory.GetFiles(Oracles.Data("detection/images"), "*.jpg")];

        Assert.Equal(708, files.Length);
        Assert.All(files, AssertEqualsDjpeg);
    }

    [ToolFact("djpeg", "cifar10/train_jpegpack_16000.bin")]
    public void Decode_SmallPictures_EqualsDjpegPixelForPixel()
    {
        byte[] pack = File.ReadAllBytes(Oracles.Data("cifar10/train_jpegpack_16000.bin"));
        string file = Path.Combine(_folder, "record.jpg");
        const int every = 50;
        for (int at = 0, record = 0; at < pack.Length; record++)
        {
            int length = pack[at + 1] | pack[at + 2] << 8;
            if (record % every == 0)
            {
                File.WriteAllBytes(file, pack.AsSpan(at + 3, length));
                AssertEqualsDjpeg(file);
            }
            at += 3 + length;
        }
    }

    [ToolFact("djpeg cjpeg", "detection/images/coco_bus.jpg")]
    public void Decode_EachSamplingSizeAndCoding_EqualsDjpegPixelForPixel()
    {
        string[] samplings = ["1x1", "2x1", "1x2", "2x2", "4x1", "1x4", "4x2", "2x2,2x1,1x2", "1x1,1x1,2x1"];
        string[] codings = ["-quality 50", "-quality 95 -restart 3B", "-quality 70 -progressive", "-quality 100 -progressive -restart 1", "-quality 1", "-grayscale", "-rgb"];
        Image picture = ImageDecoder.Read(Oracles.Data("detection/images/coco_bus.jpg"), AsStored);
        foreach ((int width, int height) in new[] { (227, 149), (16, 16), (17, 33), (3, 5), (5, 3), (1, 1), (2, 2), (255, 8) })
        {
            string source = Path.Combine(_folder, "source.ppm"), file = Path.Combine(_folder, "made.jpg");
            WritePpm(ImageResizer.CentreCrop(picture, width, height), source);
            foreach (string sampling in samplings)
            {
                foreach (string coding in codings)
                {
                    Run("cjpeg", $"{coding} -sample {sampling} -outfile {file} {source}");
                    AssertEqualsDjpeg(file);
                }
            }
        }
    }

    [ToolFact("djpeg jpegtran", "detection/images/coco_bus.jpg", "imagenet/images/0020_n01601694.jpg")]
    public void Decode_TranscodedPictures_EqualsDjpegPixelForPixel()
    {
        string file = Path.Combine(_folder, "made.jpg");
        foreach (string original in new[] { "detection/images/coco_bus.jpg", "imagenet/images/0020_n01601694.jpg" })
        {
            foreach (string change in new[] { "-progressive", "-restart 1", "-rotate 90", "-grayscale", "-transpose -progressive -restart 5B", "-crop 101x77+16+16" })
            {
                Run("jpegtran", $"{change} -outfile {file} {Oracles.Data(original)}");
                AssertEqualsDjpeg(file);
            }
        }
    }

    private static void AssertEqualsDjpeg(string file)
    {
        byte[] pnm = Run("djpeg", file);
        Image image = ImageDecoder.Read(file, AsStored);
        byte[] header = [.. System.Text.Encoding.ASCII.GetBytes($"{(image.Channels == 1 ? "P5" : "P6")}\n{image.Width} {image.Height}\n255\n")];
        Assert.Equal(header, pnm.AsSpan(0, header.Length).ToArray());
        int differing = pnm.AsSpan(header.Length).ToArray().Zip(image.Pixels).Count(pair => pair.First != pair.Second);
        Assert.True(differing == 0 && pnm.Length == header.Length + image.Pixels.Length, $"{file}: {differing} of {image.Pixels.Length} bytes differ from djpeg");
    }

    private static void WritePpm(Image image, string path) =>
        File.WriteAllBytes(path, [.. System.Text.Encoding.ASCII.GetBytes($"P6\n{image.Width} {image.Height}\n255\n"), .. image.Pixels]);

    private static byte[] Run(string tool, string arguments)
    {
        using Process process = Process.Start(new ProcessStartInfo(tool, arguments) { RedirectStandardOutput = true, RedirectStandardError = true })!;
        Task<string> errors = process.StandardError.ReadToEndAsync();
        var output = new MemoryStream();
        process.StandardOutput.BaseStream.CopyTo(output);
        process.WaitForExit();
        Assert.True(process.ExitCode == 0, $"{tool} {arguments}: {errors.Result}");
        return output.ToArray();
    }
}
