using System.Buffers.Binary;
using System.Text;
using Fewbit.Storage;
using Fewbit.Tensors;
using Fewbit.Testing;
using Fewbit.Tests.Data;

namespace Fewbit.Tests.Storage;

public sealed class SafetensorsFileTests : IDisposable
{
    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Write_EveryTypeOfTheFormat_ReadsAndMapsBackTheSameBytes()
    {
        ElementType[] types = [.. Enum.GetValues<ElementType>().Where(type => type is not (ElementType.Undefined or ElementType.String or ElementType.Complex128
            or ElementType.Int4 or ElementType.UInt4 or ElementType.Int2 or ElementType.UInt2))];
        Dictionary<string, Tensor> tensors = types.ToDictionary(type => $"a/{type.Name()}", type => Filled(type, [2, 3]), StringComparer.Ordinal);
        (tensors["scalar"], tensors["empty"]) = (Tensor.Scalar(1.5f), Tensor.Allocate(ElementType.Int64, [0, 4]));
        string path = _folder.Path("all.safetensors");

        SafetensorsFile.Write(path, tensors, new Dictionary<string, string> { ["made by"] = "a test \"ü\"" });

        foreach (Safetensors read in (Safetensors[])[SafetensorsFile.Read(path), SafetensorsFile.Map(path)])
        {
            Assert.Equal("a test \"ü\"", read.Metadata["made by"]);
            Assert.Equal(tensors.Keys.Order(StringComparer.Ordinal), read.Tensors.Keys.Order(StringComparer.Ordinal));
            Assert.All(tensors, pair => AssertSame(pair.Value, read.Tensors[pair.Key]));
        }
        Assert.Equal(20, types.Length);
    }

    [Fact]
    public unsafe void Write_TensorsOfDifferentWidths_PutsEachAtAMultipleOfItsElement()
    {
        string path = _folder.Path("a.safetensors");
        SafetensorsFile.Write(path, new Dictionary<string, Tensor> { ["a"] = Filled(ElementType.UInt8, [3]), ["b"] = Filled(ElementType.Float64, [3]), ["c"] = Filled(ElementType.Float16, [3]) });

        Safetensors mapped = SafetensorsFile.Map(path);

        Assert.Equal(["b", "c", "a"], mapped.Tensors.Keys);
        Assert.Equal(0u, (nuint)mapped.Tensors["b"].Address % 64);
    }

    [Fact]
    public void Write_Twice_GivesTheSameBytes()
    {
        var tensors = new Dictionary<string, Tensor> { ["b"] = Tensor.From(1f, 2f), ["a"] = Tensor.From(3f) };
        SafetensorsFile.Write(_folder.Path("1"), tensors);
        SafetensorsFile.Write(_folder.Path("2"), tensors.Reverse().ToDictionary());

        Assert.Equal(File.ReadAllBytes(_folder.Path("1")), File.ReadAllBytes(_folder.Path("2")));
        Assert.Equal(2, Directory.GetFiles(_folder.Root).Length);
    }

    [Fact]
    public void Write_PackedIntegers_NamesTheTensorAndTheRepair()
    {
        var problem = Assert.Throws<ArgumentException>(() => SafetensorsFile.Write(_folder.Path("a"), new Dictionary<string, Tensor> { ["w"] = Tensor.Allocate(ElementType.Int4, [4]) }));

        Assert.StartsWith("tensor 'w' is int4, which safetensors cannot hold; keep its codes as int8 or uint8", problem.Message, StringComparison.Ordinal);
        Assert.Empty(Directory.GetFiles(_folder.Root));
    }

    [Fact]
    public void Map_UnalignedTensor_CopiesIt()
    {
        string path = Header("""{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"b":{"dtype":"F32","shape":[1],"data_offsets":[1,5]}}""", [7, 0, 0, 0x80, 0x3F]);

        Assert.Equal(1f, SafetensorsFile.Map(path).Tensors["b"].Item<float>());
    }

    [Theory]
    [InlineData("""{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"b":{"dtype":"F32","shape":[1],"data_offsets":[2,6]}}""", 6, "tensor 'b' starts at byte 2 behind the header, the one before it ends at 4: they overlap")]
    [InlineData("""{"a":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}""", 8, "tensor 'a' starts at byte 4 behind the header, the one before it ends at 0: there is a gap")]
    [InlineData("""{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}""", 3, "is truncated or damaged: its tensors have 4 bytes, the file has 3 behind the header")]
    [InlineData("""{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}""", 5, "its tensors have 4 bytes, the file has 5")]
    [InlineData("""{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,4]}}""", 4, "tensor 'a' is float32 [2] of 8 bytes, its data_offsets [0, 4] hold 4")]
    [InlineData("""{"a":{"dtype":"F32","shape":[1],"data_offsets":[4,0]}}""", 4, "its data_offsets [4, 0] hold -4")]
    [InlineData("""{"a":{"dtype":"Q5","shape":[1],"data_offsets":[0,4]}}""", 4, "has dtype 'Q5', expected one of F32, F64")]
    [InlineData("""{"a":{"dtype":"F4","shape":[3],"data_offsets":[0,2]}}""", 2, "which does not end at a whole byte")]
    [InlineData("""{"a":{"dtype":"F32","shape":[-1],"data_offsets":[0,4]}}""", 4, "has -1 in shape, expected whole numbers from 0")]
    [InlineData("""{"a":{"dtype":"F32","shape":[4611686018427387904,4],"data_offsets":[0,4]}}""", 4, "whose elements no memory can hold")]
    [InlineData("""{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}""", 4, "has a damaged safetensors header: Duplicate property 'a'")]
    [InlineData("""{"a":{"dtype":"F32","shape":[1]}}""", 0, "tensor 'a' has no data_offsets that is an array")]
    [InlineData("""{"__metadata__":{"a":1}}""", 0, "has __metadata__ 'a' that is no text")]
    [InlineData("""{"\ud800":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}""", 4, "safetensors header")]
    [InlineData("""[]""", 0, "has a safetensors header that is no JSON object")]
    [InlineData("""{"a":""", 0, "has a damaged safetensors header")]
    public void Read_WrongHeader_SaysWhatIsWrong(string json, int dataBytes, string expected)
    {
        string path = Header(json, new byte[dataBytes]);

        Assert.Contains(expected, Assert.Throws<InvalidDataException>(() => SafetensorsFile.Read(path)).Message, StringComparison.Ordinal);
        Assert.StartsWith(path, Assert.Throws<InvalidDataException>(() => SafetensorsFile.Map(path)).Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(new byte[0])]
    [InlineData(new byte[] { 1, 2, 3 })]
    [InlineData(new byte[] { 255, 255, 255, 255, 255, 255, 255, 255, 123 })]
    [InlineData(new byte[] { 9, 0, 0, 0, 0, 0, 0, 0, 123, 125 })]
    public void Read_NoSafetensors_NamesTheFile(byte[] bytes)
    {
        string path = _folder.Write("a.safetensors", bytes);

        Assert.StartsWith(path, Assert.Throws<InvalidDataException>(() => SafetensorsFile.Read(path)).Message, StringComparison.Ordinal);
    }

    [DataFact("cifar10/models/resnet20.safetensors")]
    public void Read_FileOfAnotherWriter_HasItsTensors()
    {
        IReadOnlyDictionary<string, Tensor> tensors = SafetensorsFile.Read(Oracles.Data("cifar10/models/resnet20.safetensors")).Tensors;

        Assert.Equal(new Shape(16, 3, 3, 3), tensors["conv1.weight"].Shape);
        Assert.Equal(269_722, tensors.Where(pair => !pair.Key.Contains("running_", StringComparison.Ordinal) && !pair.Key.Contains("num_batches", StringComparison.Ordinal)).Sum(pair => pair.Value.ElementCount));
    }

    internal static Tensor Filled(ElementType type, Shape shape)
    {
        Tensor tensor = Tensor.Allocate(type, shape);
        for (int i = 0; i < tensor.Bytes.Length; i++) tensor.Bytes[i] = type == ElementType.Bool ? (byte)(i & 1) : (byte)(17 * i + (int)type);
        return tensor;
    }

    internal static void AssertSame(Tensor expected, Tensor actual)
    {
        Assert.Equal(expected.ToString(), actual.ToString());
        Assert.Equal(expected.Bytes.ToArray(), actual.Bytes.ToArray());
    }

    private string Header(string json, byte[] data)
    {
        byte[] text = Encoding.UTF8.GetBytes(json), length = new byte[8];
        BinaryPrimitives.WriteInt64LittleEndian(length, text.Length);
        return _folder.Write("header.safetensors", [.. length, .. text, .. data]);
    }
}
