using System.IO.Compression;
using Fewbit.Storage;
using Fewbit.Tensors;
using Fewbit.Tests.Data;
using Fewbit.Weights;

namespace Fewbit.Tests.Weights;

public sealed class WeightFileTests : IDisposable
{
    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData("state_dict_zip.pth")]
    [InlineData("state_dict_legacy.pth")]
    [InlineData("checkpoint_zip.pth")]
    [InlineData("checkpoint_legacy.pth")]
    public void Read_StateDict_HasItsTensorsWithoutPrefix(string name)
    {
        IReadOnlyDictionary<string, Tensor> weights = Read(name);

        Assert.Equal(["conv.weight", "bn.weight", "bn.bias", "bn.running_mean", "bn.running_var", "bn.num_batches_tracked"], weights.Keys);
        Assert.Equal(Enumerable.Range(0, 18).Select(i => (float)i), weights["conv.weight"].Span<float>().ToArray());
        Assert.Equal(new Shape(2, 1, 3, 3), weights["conv.weight"].Shape);
        Assert.Equal([0.5f, -0.5f], weights["bn.running_mean"].Span<float>().ToArray());
        Assert.Equal(0L, weights["bn.num_batches_tracked"].Item<long>());
    }

    [Theory]
    [InlineData("types_zip.pt")]
    [InlineData("types_legacy.pt")]
    public void Read_EveryType_HasItsElements(string name)
    {
        IReadOnlyDictionary<string, Tensor> weights = Read(name);

        Assert.Equal(12, weights.Count);
        Assert.Equal([0f, 1, 2], weights["float32"].Span<float>().ToArray());
        Assert.Equal([0.0, 1, 2], weights["float64"].Span<double>().ToArray());
        Assert.Equal([(Half)0, (Half)1, (Half)2], weights["float16"].Span<Half>().ToArray());
        Assert.Equal([0f, 1, 2], weights["bfloat16"].Span<BFloat16>().ToArray().Select(value => (float)value));
        Assert.Equal([0L, 1, 2], weights["int64"].Span<long>().ToArray());
        Assert.Equal([0, 1, 2], weights["int32"].Span<int>().ToArray());
        Assert.Equal<short>([0, 1, 2], weights["int16"].Span<short>().ToArray());
        Assert.Equal<sbyte>([0, 1, 2], weights["int8"].Span<sbyte>().ToArray());
        Assert.Equal<byte>([0, 1, 2], weights["uint8"].Span<byte>().ToArray());
        Assert.Equal([false, true, true], weights["bool"].Span<bool>().ToArray());
        Assert.Equal((ElementType.Complex64, 24L), (weights["complex64"].Type, weights["complex64"].ByteCount));
        Assert.Equal((ElementType.Complex128, 48L), (weights["complex128"].Type, weights["complex128"].ByteCount));
    }

    [Theory]
    [InlineData("views_zip.th")]
    [InlineData("views_legacy.th")]
    public void Read_StridesAndSharedStorage_GiveRowMajorTensors(string name)
    {
        IReadOnlyDictionary<string, Tensor> weights = Read(name);

        Has("whole", [4, 6], Enumerable.Range(0, 24));
        Has("transposed", [6, 4], from column in Enumerable.Range(0, 6) from row in Enumerable.Range(0, 4) select 6 * row + column);
        Has("row", [6], [12, 13, 14, 15, 16, 17]);
        Has("column", [4], [1, 7, 13, 19]);
        Has("window", [2, 3], [8, 9, 10, 14, 15, 16]);
        Has("stepped", [2, 2], [0, 3, 12, 15]);
        Has("scalar", [], [23]);
        Has("empty", [0, 6], []);
        Has("parameter", [6], [6, 7, 8, 9, 10, 11]);
        Assert.True(weights["tied"].IsAt(weights["whole"]));

        void Has(string key, Shape shape, IEnumerable<int> numbers)
        {
            Assert.Equal(shape, weights[key].Shape);
            Assert.Equal(numbers.Select(number => (float)number), weights[key].Span<float>().ToArray());
        }
    }

    [Fact]
    public void Read_NestedDictsAndLists_JoinsTheirNames()
    {
        Assert.Equal(["encoder.layers.0", "encoder.layers.1", "decoder.weight"], Read("nested_protocol4.pt").Keys);
        Assert.Equal([0f, 1, 2, 3], Read("tensor.pt")["tensor"].Span<float>().ToArray());
    }

    [Theory]
    [InlineData("attack_zip.pt", ": names posix.system, which is no part of tensors by name; it was not executed.")]
    [InlineData("attack_legacy.pt", ": names posix.system, which is no part of tensors by name; it was not executed.")]
    [InlineData("model.pt", ": names __main__.Net, which is no part of tensors by name; it was not executed. Load the file where you trust it, and save model.state_dict()")]
    [InlineData("plain.pickle", ": is a pickle, but not one of PyTorch's torch.save")]
    [InlineData("expanded.pt", ": tensor 'mask': shows 1000000 elements of a storage of 1 (an expanded tensor); save tensor.contiguous()")]
    public void Read_MoreThanTensors_IsRefusedByName(string name, string expected)
    {
        string path = WeightFixtures.Write(_folder, name);

        Assert.StartsWith(path + expected, Assert.Throws<InvalidDataException>(() => WeightFile.Read(path)).Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("state_dict_zip.pth")]
    [InlineData("state_dict_legacy.pth")]
    public void Read_CutAnywhere_SaysSo(string name)
    {
        byte[] bytes = WeightFixtures.Bytes(name);
        for (int length = 0; length < bytes.Length; length += 7)
        {
            string path = _folder.Write("cut", bytes[..length]);
            Assert.StartsWith(path, Assert.Throws<InvalidDataException>(() => WeightFile.Read(path)).Message, StringComparison.Ordinal);
        }
    }

    [Fact]
    public void Read_MoreBytesThanAllowed_NamesTheOption()
    {
        foreach (string name in (string[])["state_dict_zip.pth", "state_dict_legacy.pth"])
        {
            string path = WeightFixtures.Write(_folder, name);
            Assert.Contains("WeightFileOptions.MaxBytes", Assert.Throws<InvalidDataException>(() => WeightFile.Read(path, new() { MaxBytes = 50 })).Message, StringComparison.Ordinal);
        }
    }

    [Fact]
    public void Read_SafetensorsNpyAndNpz_ByTheirContent()
    {
        string safetensors = _folder.Path("1"), npz = _folder.Path("2");
        SafetensorsFile.Write(safetensors, new Dictionary<string, Tensor> { ["w"] = Tensor.From(1f, 2f) });
        byte[] npy = [0x93, .. "NUMPY"u8, 1, 0, 118, 0, .. System.Text.Encoding.Latin1.GetBytes("{'descr': '<f4', 'fortran_order': False, 'shape': (2,), }".PadRight(117) + "\n"), .. new byte[] { 0, 0, 128, 63, 0, 0, 0, 64 }];
        using (ZipArchive archive = ZipFile.Open(npz, ZipArchiveMode.Create))
        using (Stream entry = archive.CreateEntry("w.npy").Open()) entry.Write(npy);

        Assert.Equal([1f, 2f], WeightFile.Read(safetensors)["w"].Span<float>().ToArray());
        Assert.Equal([1f, 2f], WeightFile.Read(npz)["w"].Span<float>().ToArray());
        Assert.Equal([1f, 2f], WeightFile.Read(_folder.Write("w.bin", npy))["w"].Span<float>().ToArray());
    }

    [Theory]
    [InlineData(new byte[0], "it is empty")]
    [InlineData(new byte[] { 0x89, (byte)'H', (byte)'D', (byte)'F', 13, 10 }, "it is HDF5")]
    [InlineData(new byte[] { 1, 2, 3 }, "(it starts with 010203); expected safetensors, .npz, .npy, or a PyTorch file")]
    public void Read_UnknownKind_SaysWhatIsExpected(byte[] bytes, string expected)
    {
        string path = _folder.Write("a", bytes);

        Assert.Contains(expected, Assert.Throws<InvalidDataException>(() => WeightFile.Read(path)).Message, StringComparison.Ordinal);
        Assert.Throws<FileNotFoundException>(() => WeightFile.Read(_folder.Path("none")));
    }

    private IReadOnlyDictionary<string, Tensor> Read(string name) => WeightFile.Read(WeightFixtures.Write(_folder, name));
}
