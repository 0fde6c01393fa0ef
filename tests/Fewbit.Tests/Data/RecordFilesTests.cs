using Fewbit.Data;
using Fewbit.Testing;
using Fewbit.Tests.Data.Images;

namespace Fewbit.Tests.Data;

public sealed class RecordFilesTests : IDisposable
{
    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Open_CifarBatch_InterleavesThePlanes()
    {
        byte[] record = Record(3);
        (record[1 + 5], record[1 + 1024 + 5], record[1 + 2048 + 5]) = (10, 20, 30);

        DataSet data = DataSetReader.Open(_folder.Write("batch.bin", [.. Record(9), .. record]));

        Assert.Equal([9, 3], data.Labels!);
        Assert.Equal("cat", data.ClassNames![3]);
        Assert.Equal([10, 20, 30], data.Read(1).Picture!.Pixels.AsSpan(15, 3).ToArray());
        Assert.EndsWith("batch.bin record 1", data.NameOf(1), StringComparison.Ordinal);
    }

    [Fact]
    public void Open_CifarFolder_LeavesTheTestBatchOut()
    {
        _folder.Write("data_batch_1.bin", Record(1));
        _folder.Write("data_batch_2.bin", [.. Record(2), .. Record(3)]);
        _folder.Write("test_batch.bin", Record(4));

        DataSet data = DataSetReader.Open(_folder.Root);

        Assert.Equal([1, 2, 3], data.Labels!);
        Assert.Contains("test files left out", data.Description, StringComparison.Ordinal);
        Assert.EndsWith("data_batch_2.bin record 1", data.NameOf(2), StringComparison.Ordinal);
    }

    [Fact]
    public void Open_CifarWithLabelMap_UsesTheModelsOrder() =>
        Assert.Equal([1], DataSetReader.Open(_folder.Write("b.bin", Record(3)), new() { Labels = LabelMap.Of(["dog", "cat"]) }).Labels!);

    [Fact]
    public void Open_RecordsOfMoreClassesThanCifar_TakesThemWithALabelMap() =>
        Assert.Equal([11], DataSetReader.Open(_folder.Write("b.bin", Record(11)), new() { Labels = LabelMap.Of([.. Enumerable.Range(0, 12).Select(i => $"class {i}")]) }).Labels!);

    [Fact]
    public void Open_DamagedCifarBatch_NamesTheFile()
    {
        string cut = _folder.Write("cut.bin", Record(1)[..3000]), wrong = _folder.Write("wrong.bin", Record(11));

        Assert.Equal($"{cut}: has 3000 bytes, expected a multiple of 3073 (CIFAR-10 records); is it truncated?", Assert.Throws<InvalidDataException>(() => DataSetReader.Open(cut)).Message);
        Assert.Equal($"{wrong}: record 0 has label 11, expected 0 to 9: it is not a CIFAR-10 batch; records of more classes need --labels FILE", Assert.Throws<InvalidDataException>(() => DataSetReader.Open(wrong)).Message);
    }

    [Fact]
    public void Open_JpegPack_DecodesEachRecord()
    {
        byte[] jpeg = Convert.FromBase64String(JpegFixtures.Grey);
        byte[] record = [7, (byte)jpeg.Length, (byte)(jpeg.Length >> 8), .. jpeg];

        DataSet data = DataSetReader.Open(_folder.Write("pack.bin", [.. record, .. record]));

        Assert.Equal([7, 7], data.Labels!);
        Assert.Equal(27, data.Read(1).Picture!.Width);
        Assert.Contains("is truncated: record 1", Assert.Throws<InvalidDataException>(() => DataSetReader.Open(_folder.Write("cut.bin", [.. record, .. record[..^1]]))).Message, StringComparison.Ordinal);
    }

    [DataFact("cifar10/test_lossless_846.bin", "cifar10/train_jpegpack_16000.bin")]
    public void Open_RealCifarFiles_HaveTheirRecords()
    {
        DataSet lossless = DataSetReader.Open(Oracles.Data("cifar10/test_lossless_846.bin")), packed = DataSetReader.Open(Oracles.Data("cifar10/train_jpegpack_16000.bin"));

        Assert.Equal((846, 16000), (lossless.Count, packed.Count));
        Assert.All(packed.Labels!.CountBy(label => label), pair => Assert.Equal(1600, pair.Value));
        Assert.All(Enumerable.Range(0, 200), i => Assert.Equal(3 * 32 * 32, packed.Read(80 * i).Picture!.Pixels.Length));
    }

    private static byte[] Record(byte label)
    {
        var record = new byte[3073];
        record[0] = label;
        return record;
    }
}
