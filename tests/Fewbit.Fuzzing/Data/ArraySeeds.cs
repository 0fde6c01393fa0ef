using System.Globalization;
using System.IO.Compression;
using System.Text;

namespace Fewbit.Fuzzing.Data;

/// <summary>Arrays and records: .npy, .npz, IDX, CIFAR batches, JPEG packs, tables.</summary>
internal static class ArraySeeds
{
    private static readonly string[] NumpyTypes = ["<f4", "<f8", "|u1", "|i1", "<i2", "<u2", "<i4", "<u4", "<i8", "<u8", "|b1", "<f2", ">f4", ">i2", "=f4", "<c8", "|O", "<U3", "|S4", "<m8", "f4", "", "<f0", "<f99999999999"];

    public static byte[] Npy(Random random, bool isValid)
    {
        int kinds = isValid ? 14 : NumpyTypes.Length;
        string type = NumpyTypes[random.Next(kinds)];
        long[] shape = [.. Enumerable.Range(0, random.Next(1, 5)).Select(_ => isValid ? random.Next(1, 5) : Interesting.Length(random))];
        int width = type.Length > 2 && char.IsAsciiDigit(type[2]) ? type[2] - '0' : 4;
        double bytes = shape.Aggregate((double)width, (product, dim) => product * dim);
        byte[] data = new byte[bytes is >= 0 and < 20000 ? (int)bytes : random.Next(4000)];
        random.NextBytes(data);
        string dims = string.Concat(shape.Select(dim => dim.ToString(CultureInfo.InvariantCulture) + ","));
        string header = $"{{'descr': '{type}', 'fortran_order': {(random.Next(4) == 0 ? "True" : "False")}, 'shape': ({dims}), }}";
        if (!isValid && random.Next(2) == 0) header = Text(header, random);
        byte[] text = Encoding.Latin1.GetBytes(header.PadRight(118) + "\n");
        int version = isValid ? 1 : random.Next(8) == 0 ? random.Next(5) : 1;
        byte[] length = version == 1 ? [(byte)text.Length, (byte)(text.Length >> 8)] : [(byte)text.Length, (byte)(text.Length >> 8), (byte)(random.Next(20) == 0 ? 255 : 0), 0];
        return [0x93, .. "NUMPY"u8, (byte)version, 0, .. length, .. text, .. data];
    }

    public static byte[] Npz(Random random, bool isValid)
    {
        string[] names = ["images.npy", "labels.npy", "x.npy", "y.npy", "../up.npy", "readme.txt", " ", "x.npy"];
        int count = random.Next(1, 4);
        var files = Enumerable.Range(0, count).Select(i => (isValid ? names[i] : names[random.Next(names.Length)], Npy(random, isValid || random.Next(2) == 0)));
        return Zips.Zip(files, random.Next(2) == 0 ? CompressionLevel.NoCompression : CompressionLevel.Fastest);
    }

    public static byte[] Idx(Random random, bool isValid)
    {
        byte[] kinds = [8, 9, 11, 12, 13, 14];
        int rank = isValid ? random.Next(2, 4) : random.Next(6);
        int[] dims = [.. Enumerable.Range(0, rank).Select(_ => isValid ? random.Next(1, 6) : (int)Interesting.Length(random))];
        byte kind = isValid ? (byte)8 : kinds[random.Next(kinds.Length)];
        double count = dims.Aggregate(8.0, (product, dim) => product * Math.Max(0, dim));
        byte[] data = new byte[isValid ? dims.Aggregate(1, (product, dim) => product * dim) : (int)Math.Min(count, random.Next(4000))];
        random.NextBytes(data);
        return [0, 0, kind, (byte)rank, .. dims.SelectMany(Zips.BigEndian), .. data];
    }

    public static byte[] Cifar(Random random)
    {
        byte[] data = new byte[3073 * random.Next(1, 3)];
        random.NextBytes(data);
        data[0] = (byte)random.Next(12);
        return data;
    }

    public static byte[] Pack(Random random) =>
        [.. Enumerable.Range(0, random.Next(1, 5)).SelectMany(i =>
        {
            byte[] jpeg = PictureSeeds.Jpeg(random);
            return (byte[])[(byte)i, (byte)jpeg.Length, (byte)(jpeg.Length >> 8), .. jpeg];
        })];

    public static string Csv(Random random)
    {
        string[] cells = ["picture.png", "picture.jpg", "../picture.png", "missing.png", "/etc/hostname", "\"picture.png\"", "\"a\"\"b", "cat", "dog", "7", "-1", "99999999999", "", " ", "\"", "\0", "file", "label", "picture.png"];
        var text = new StringBuilder(random.Next(2) == 0 ? "file,label\n" : "");
        for (int line = random.Next(1, 8); line > 0; line--)
        {
            int count = random.Next(4) == 0 ? random.Next(5) : 2;
            text.AppendJoin(random.Next(8) == 0 ? ';' : ',', Enumerable.Range(0, count).Select(i => random.Next(5) == 0 ? cells[random.Next(cells.Length)] : i == 0 ? "picture.png" : "cat")).Append(random.Next(9) == 0 ? "\r\n" : "\n");
        }
        return text.ToString();
    }

    public static string Labels(Random random)
    {
        string[] lines = ["0\tn01440764\ttench", "1\tcat", "cat", "dog", "", "999999\tx", "2147483647\tx", "1000000\tx", "-1\tx", "\t", "1\t", "crane", "crane, bird", "\0"];
        return string.Join('\n', Enumerable.Range(0, random.Next(1, 9)).Select(i => random.Next(3) == 0 ? lines[random.Next(lines.Length)] : $"{i}\tname{i}"));
    }

    public static string Preprocessing(Random random)
    {
        string[] values = ["\"imagenet\"", "\"tf\"", "1", "-1", "0", "1e308", "1e999", "null", "[]", "[1,2,3]", "[0.5]", "[null]", "{}", "true", "\"short-side\"", "\"bgr\"", "224", "99999999999", "0.875", "\"NaN\"", new string('[', 200)];
        string[] keys = ["preset", "name", "fit", "margin", "filter", "colourOrder", "layout", "size", "divideBy", "mean", "std", "other"];
        return "{" + string.Join(',', Enumerable.Range(0, random.Next(1, 6)).Select(_ => $"\"{keys[random.Next(keys.Length)]}\": {values[random.Next(values.Length)]}")) + "}";
    }

    public static string Text(string text, Random random)
    {
        for (int changes = random.Next(1, 4); changes > 0 && text.Length > 0; changes--)
        {
            int at = random.Next(text.Length), length = Math.Min(random.Next(6), text.Length - at);
            string put = random.Next(3) switch { 0 => Interesting.Integer(random).ToString(CultureInfo.InvariantCulture), 1 => Interesting.Text(random), _ => ((char)random.Next(1, 256)).ToString() };
            text = text[..at] + put + text[(at + length)..];
        }
        return text;
    }
}
