using System.IO.Compression;
using System.Text;
using Fewbit.Data;
using Fewbit.Data.Arrays;
using Fewbit.Tensors;
using Fewbit.Testing;

namespace Fewbit.Tests.Data;

public sealed class ArrayFilesTests : IDisposable
{
    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData("<f4", ElementType.Float32, "0000803F00000040")]
    [InlineData(">f4", ElementType.Float32, "3F80000040000000")]
    [InlineData("<f8", ElementType.Float64, "000000000000F03F0000000000000040")]
    [InlineData("<f2", ElementType.Float16, "003C0040")]
    [InlineData("|u1", ElementType.UInt8, "0102")]
    [InlineData("|i1", ElementType.Int8, "0102")]
    [InlineData(">i2", ElementType.Int16, "00010002")]
    [InlineData("<u2", ElementType.UInt16, "01000200")]
    [InlineData("<i4", ElementType.Int32, "0100000002000000")]
    [InlineData("<u4", ElementType.UInt32, "0100000002000000")]
    [InlineData("<i8", ElementType.Int64, "01000000000000000200000000000000")]
    [InlineData(">u8", ElementType.UInt64, "00000000000000010000000000000002")]
    public void ReadNpy_EachType_HasItsValues(string descr, ElementType type, string hex)
    {
        string path = _folder.Write("x.npy", Npy(descr, "(2,)", Convert.FromHexString(hex)));

        Tensor array = NumpyFiles.ReadNpy(path, 1000);

        Assert.Equal((type, new Shape(2)), (array.Type, array.Shape));
        var floats = Tensor.Allocate(ElementType.Float32, [2]);
        TensorConversion.Copy(array, floats);
        Assert.Equal([1f, 2f], floats.Span<float>().ToArray());
    }

    [Fact]
    public void ReadNpy_FortranOrder_IsTransposed()
    {
        // [[[0,1],[2,3],[4,5]], [[6,7],[8,9],[10,11]]] stored with the first index fastest.
        byte[] stored = [0, 6, 2, 8, 4, 10, 1, 7, 3, 9, 5, 11];
        string path = _folder.Write("x.npy", Npy("|u1", "(2, 3, 2)", stored, fortran: true));

        Assert.Equal([.. Enumerable.Range(0, 12).Select(i => (byte)i)], NumpyFiles.ReadNpy(path, 1000).Span<byte>().ToArray());
    }

    [Fact]
    public void ReadNpy_BadFiles_NameFileAndReason()
    {
        Assert.Contains("is not a NumPy array", Problem("12345678901234567890"u8.ToArray()), StringComparison.Ordinal);
        Assert.Contains("is truncated", Problem(Npy("<f4", "(2,)", new byte[8])[..20]), StringComparison.Ordinal);
        Assert.Contains("needs 8 bytes behind the header, found 7", Problem(Npy("<f4", "(2,)", new byte[7])), StringComparison.Ordinal);
        Assert.Contains("holds NumPy type '|O'", Problem(Npy("|O", "(2,)", new byte[7])), StringComparison.Ordinal);
        Assert.Contains("no memory can hold", Problem(Npy("<f4", "(9999999999, 9999999999)", [])), StringComparison.Ordinal);
        Assert.Contains("more than the 1000 that are allowed", Problem(Npy("|u1", "(1001,)", new byte[1001])), StringComparison.Ordinal);
        Assert.Contains("expected descr, fortran_order and shape", Problem(Npy("", "(1,)", [1])), StringComparison.Ordinal);

        string Problem(byte[] bytes)
        {
            string path = _folder.Write("bad.npy", bytes);
            string message = Assert.Throws<InvalidDataException>(() => NumpyFiles.ReadNpy(path, 1000)).Message;
            Assert.StartsWith(path, message, StringComparison.Ordinal);
            return message;
        }
    }

    [Fact]
    public void Open_NpyWithLabelsBeside_ReadsBoth()
    {
        _folder.Write("y.npy", Npy("<i8", "(3,)", [.. BitConverter.GetBytes(2L), .. BitConverter.GetBytes(0L), .. BitConverter.GetBytes(1L)]));

        DataSet data = DataSetReader.Open(_folder.Write("x.npy", Npy("<f4", "(3, 2)", new byte[24])));

        Assert.Equal([2, 0, 1], data.Labels!);
        Assert.False(data.IsPictures);
        Assert.Equal(new Shape(2), data.Read(2).Arrays!["x"].Shape);
        Assert.Equal(3, DataSetReader.Open(_folder.Root).Count);
    }

    [Fact]
    public void Open_NpzOfSeveralInputs_KeepsNamesTypesAndOneHotLabels()
    {
        string path = WriteNpz("data.npz", ("ids", Npy("<i8", "(2, 3)", new byte[48])), ("mask", Npy("|b1", "(2, 3)", new byte[6])), ("labels", Npy("|u1", "(2, 3)", [0, 1, 0, 0, 0, 1])));

        DataSet data = DataSetReader.Open(path);

        Assert.Equal([1, 2], data.Labels!);
        Assert.Equal(["ids", "mask"], data.Read(0).Arrays!.Keys.Order());
        Assert.Equal(ElementType.Bool, data.Read(0).Arrays!["mask"].Type);
        Assert.Equal($"{path}: has no array 'label_ids' of labels, it has ids, mask, labels; did you mean 'labels'?",
            Assert.Throws<InvalidDataException>(() => DataSetReader.Open(path, new() { LabelKey = "label_ids" })).Message);
    }

    [Fact]
    public void Open_NpzOfUint8Pictures_IsPictures()
    {
        byte[] planes = [1, 2, 3, 4, 11, 12, 13, 14, 21, 22, 23, 24];

        DataSet data = DataSetReader.Open(WriteNpz("p.npz", ("x", Npy("|u1", "(1, 3, 2, 2)", planes)), ("y", Npy("<i4", "(1,)", [5, 0, 0, 0]))));

        Assert.Equal([1, 11, 21, 2, 12, 22], data.Read(0).Picture!.Pixels.AsSpan(0, 6).ToArray());
        Assert.Equal([5], data.Labels!);
    }

    [Fact]
    public void Open_BadNpz_NamesArrayAndReason()
    {
        string different = WriteNpz("d.npz", ("a", Npy("|i1", "(2, 1)", new byte[2])), ("b", Npy("|i1", "(3, 1)", new byte[3])));
        Assert.Contains("array 'b' is int8 [3, 1], 'a' is int8 [2, 1]", Assert.Throws<InvalidDataException>(() => DataSetReader.Open(different)).Message, StringComparison.Ordinal);
        Assert.Contains("is a single float32 number", Assert.Throws<InvalidDataException>(() => DataSetReader.Open(_folder.Write("scalar.npy", Npy("<f4", "()", new byte[4])))).Message, StringComparison.Ordinal);
        string labels = WriteNpz("l.npz", ("a", Npy("|i1", "(2, 1)", new byte[2])), ("y", Npy("<f4", "(2,)", [0, 0, 0, 0, 0, 0, 0, 63])));
        Assert.Contains("label 1 is 0.5, expected a class index", Assert.Throws<InvalidDataException>(() => DataSetReader.Open(labels)).Message, StringComparison.Ordinal);
        byte[] stored = File.ReadAllBytes(WriteNpz("s.npz", ("a", Npy("|u1", "(4000,)", [.. Enumerable.Range(0, 4000).Select(i => (byte)(i * i >> 3))]))));
        stored[stored.Length / 2] ^= 1;
        string damaged = _folder.Write("damaged.npz", stored);
        Assert.StartsWith($"{damaged}[a.npy]: is ", Assert.Throws<InvalidDataException>(() => DataSetReader.Open(damaged)).Message, StringComparison.Ordinal);
        string notZip = _folder.Write("n.npz", "PK and then nothing of a zip"u8.ToArray());
        Assert.StartsWith($"{notZip}: is not a readable .npz archive", Assert.Throws<InvalidDataException>(() => DataSetReader.Open(notZip)).Message, StringComparison.Ordinal);
        string bomb = WriteNpz("b.npz", ("a", Npy("|u1", "(3000000,)", new byte[3_000_000])));
        Assert.Contains("more than the 1000 that are allowed", Assert.Throws<InvalidDataException>(() => DataSetReader.Open(bomb, new() { MaxArrayBytes = 1000 })).Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Open_IdxWithLabelsBeside_IsGreyPictures(bool compressed)
    {
        string end = compressed ? ".gz" : "";
        string path = _folder.Write("t-images-idx3-ubyte" + end, Gzip(compressed, [0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, 3, 1, 2, 3, 4, 5, 6]));
        _folder.Write("t-labels-idx1-ubyte" + end, Gzip(compressed, [0, 0, 8, 1, 0, 0, 0, 2, 9, 4]));

        DataSet data = DataSetReader.Open(path);

        Assert.Equal([9, 4], data.Labels!);
        Assert.Equal((3, 1, 1), (data.Read(1).Picture!.Width, data.Read(1).Picture!.Height, data.Read(1).Picture!.Channels));
        Assert.Equal([4, 5, 6], data.Read(1).Picture!.Pixels);
        Assert.Equal(2, DataSetReader.Open(_folder.Root).Count);
        Assert.Contains("looks like labels", Assert.Throws<InvalidDataException>(() => DataSetReader.Open(_folder.Path("t-labels-idx1-ubyte" + end))).Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Open_DamagedIdx_NamesTheFile(bool compressed)
    {
        byte[][] bad =
        [
            [0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, 3, 1, 2, 3, 4, 5],
            [0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, 3, 1, 2, 3, 4, 5, 6, 7],
            [0, 0, 8, 3, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF],
            [0, 0, 8, 3, 0, 0, 0],
        ];
        foreach (byte[] bytes in bad)
        {
            string path = _folder.Write("bad-images-idx3-ubyte", Gzip(compressed, bytes));
            Assert.StartsWith(path, Assert.Throws<InvalidDataException>(() => DataSetReader.Open(path)).Message, StringComparison.Ordinal);
        }
        string cut = _folder.Write("cut-images-idx3-ubyte.gz", Gzip(true, new byte[1000])[..^9]);
        Assert.StartsWith(cut, Assert.Throws<InvalidDataException>(() => DataSetReader.Open(cut)).Message, StringComparison.Ordinal);
    }

    [DataFact("mnist/t10k-images-idx3-ubyte.gz", "fashion_mnist/train25k-images-idx3-ubyte.gz")]
    public void Open_RealIdxFiles_HaveImagesAndLabels()
    {
        DataSet mnist = DataSetReader.Open(Oracles.Data("mnist")), fashion = DataSetReader.Open(Oracles.Data("fashion_mnist/train25k-images-idx3-ubyte.gz"));

        Assert.Equal((10000, 10), (mnist.Count, mnist.Labels!.Distinct().Count()));
        Assert.Equal((25000, 10), (fashion.Count, fashion.Labels!.Distinct().Count()));
        Assert.Equal([7, 2, 1, 0, 4], mnist.Labels!.Take(5));
        Assert.Contains("name one of them", Assert.Throws<InvalidDataException>(() => DataSetReader.Open(Oracles.Data("fashion_mnist"))).Message, StringComparison.Ordinal);
    }

    private string WriteNpz(string name, params (string Key, byte[] Npy)[] arrays)
    {
        var stream = new MemoryStream();
        using (var archive = new ZipArchive(stream, ZipArchiveMode.Create, leaveOpen: true))
        {
            foreach ((string key, byte[] npy) in arrays)
            {
                using Stream entry = archive.CreateEntry(key + ".npy").Open();
                entry.Write(npy);
            }
        }
        return _folder.Write(name, stream.ToArray());
    }

    private static byte[] Npy(string descr, string shape, byte[] data, bool fortran = false)
    {
        byte[] header = Encoding.ASCII.GetBytes($"{{'descr': '{descr}', 'fortran_order': {(fortran ? "True" : "False")}, 'shape': {shape}, }}\n");
        return [0x93, .. "NUMPY"u8, 1, 0, (byte)header.Length, (byte)(header.Length >> 8), .. header, .. data];
    }

    private static byte[] Gzip(bool compressed, byte[] bytes)
    {
        if (!compressed) return bytes;
        var stream = new MemoryStream();
        using (var gzip = new GZipStream(stream, CompressionLevel.Fastest)) gzip.Write(bytes);
        return stream.ToArray();
    }
}
