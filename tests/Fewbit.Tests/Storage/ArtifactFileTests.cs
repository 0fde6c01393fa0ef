using Fewbit.Storage;
using Fewbit.Tensors;
using Fewbit.Tests.Data;

namespace Fewbit.Tests.Storage;

public sealed class ArtifactFileTests : IDisposable
{
    private static readonly ArtifactFingerprint s_fingerprint = new(ContentHash.OfText("model"), ContentHash.OfText("data"), ContentHash.OfText("options"));
    private readonly TempFolder _folder = new();

    private string Path => _folder.Path("run.json");

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Write_ValuesAndTensors_ReadBack()
    {
        Artifact artifact = Made(epoch: 7);
        ArtifactSection rounding = artifact.Add("rounding", 3);
        rounding.Set("losses", new List<double> { 0.1, double.NaN, double.NegativeInfinity });
        rounding.Set("state", new State(5_000_000_000, 0.1f, DayOfWeek.Friday, null));
        rounding.Tensors["layer1/conv.weight"] = Tensor.From<sbyte>(1, -2, 3);
        ArtifactFile.Write(Path, artifact);

        Artifact read = ArtifactFile.Read(Path);

        Assert.Equal((Artifact.Checkpoint, s_fingerprint), (read.Kind, read.Fingerprint));
        Assert.Equal(["training", "rounding"], read.Sections.Select(section => section.Name));
        Assert.Equal(7, read.Section("training", 1).Get<int>("epoch"));
        ArtifactSection section = read.Section("rounding", newest: 4);
        Assert.Equal([0.1, double.NaN, double.NegativeInfinity], section.Get<List<double>>("losses"));
        Assert.Equal(new State(5_000_000_000, 0.1f, DayOfWeek.Friday, null), section.Get<State>("state"));
        SafetensorsFileTests.AssertSame(Tensor.From<sbyte>(1, -2, 3), section.Tensor("layer1/conv.weight", ElementType.Int8, [3]));
        SafetensorsFileTests.AssertSame(Tensor.From(7f, 8f), read.Section("training", 1).Tensor("w"));
    }

    [Fact]
    public void Write_InPlaceOfAnother_LeavesOnePairAndNothingElse()
    {
        ArtifactFile.Write(Path, Made(1));
        File.WriteAllText(Path + ".999999.tmp", "left by a killed writer");
        File.WriteAllText(_folder.Path("run.json.txt"), "of someone else");
        ArtifactFile.Write(Path, Made(2));

        Assert.Equal(2, ArtifactFile.Read(Path).Section("training", 1).Get<int>("epoch"));
        Assert.Equal(3, Directory.GetFiles(_folder.Root).Length);
        Assert.True(File.Exists(_folder.Path("run.json.txt")));
    }

    [Fact]
    public void Write_KilledBeforeTheJsonIsInPlace_LeavesTheOlderPair()
    {
        ArtifactFile.Write(Path, Made(1));
        ArtifactFile.WriteTensors(Path, Made(2));

        Artifact read = ArtifactFile.Read(Path);

        Assert.Equal((1, 1f), (read.Section("training", 1).Get<int>("epoch"), read.Section("training", 1).Tensor("w").Span<float>()[0]));
    }

    [Fact]
    public void Write_SameContent_GivesTheSameBytes()
    {
        ArtifactFile.Write(Path, Made(1));
        Dictionary<string, byte[]> first = Directory.GetFiles(_folder.Root).ToDictionary(file => file, File.ReadAllBytes);
        ArtifactFile.Write(Path, Made(1));

        Assert.Equal(2, first.Count);
        Assert.All(first, pair => Assert.Equal(pair.Value, File.ReadAllBytes(pair.Key)));
    }

    [Fact]
    public void Write_NoTensors_WritesTheJsonAlone()
    {
        var artifact = new Artifact(Artifact.Plan, s_fingerprint);
        artifact.Add("ranges", 1).Set("bits", 4);
        ArtifactFile.Write(Path, artifact);

        Assert.Equal([Path], Directory.GetFiles(_folder.Root));
        Assert.Equal(4, ArtifactFile.Read(Path).Section("ranges", 1).Get<int>("bits"));
    }

    [Theory]
    [InlineData("\"version\": 1,\n  \"kind\"", "\"version\": 2,\n  \"kind\"", "is of artifact version 2, this Fewbit knows up to 1; use a newer Fewbit")]
    [InlineData("fewbit-artifact", "other", "is no Fewbit plan or checkpoint")]
    [InlineData("\"kind\": \"checkpoint\",", "", "'kind' is missing")]
    [InlineData("\"training\"", "\"a/b\"", "has a section 'a/b' that is none")]
    [InlineData("\"file\": \"", "\"file\": \"../", "expected the name of a .safetensors file in the same folder")]
    [InlineData("\"file\": \"", "\"file\": \"x", "which is not there; move both files together")]
    [InlineData("\"sha256\": \"", "\"sha256\": \"0", "is damaged: its SHA-256 is")]
    [InlineData("\"epoch\"", "\"epoch\": 1, \"epoch\"", "Duplicate property 'epoch'")]
    [InlineData("{", "[", "is not valid JSON")]
    [InlineData("\"sections\": {", "\"sections\": [], \"x\": {", "'sections' is missing or of another kind")]
    public void Read_ChangedJson_SaysWhatIsWrong(string old, string changed, string expected)
    {
        ArtifactFile.Write(Path, Made(1));
        string json = File.ReadAllText(Path);
        Assert.Contains(old, json, StringComparison.Ordinal);
        int at = json.IndexOf(old, StringComparison.Ordinal);
        File.WriteAllText(Path, json[..at] + changed + json[(at + old.Length)..]);

        string message = Assert.Throws<InvalidDataException>(() => ArtifactFile.Read(Path)).Message;

        Assert.Contains(expected, message, StringComparison.Ordinal);
        Assert.StartsWith(_folder.Root, message, StringComparison.Ordinal);
    }

    [Fact]
    public void Read_DamagedTensors_NamesTheSideFile()
    {
        ArtifactFile.Write(Path, Made(1));
        string side = Directory.GetFiles(_folder.Root, "*.safetensors").Single();
        byte[] bytes = File.ReadAllBytes(side);
        bytes[^1] ^= 1;
        File.WriteAllBytes(side, bytes);

        Assert.StartsWith($"{side}: is damaged", Assert.Throws<InvalidDataException>(() => ArtifactFile.Read(Path)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Section_MissingNewerOrMisshaped_SaysSo()
    {
        ArtifactFile.Write(Path, Made(1));
        Artifact read = ArtifactFile.Read(Path);
        ArtifactSection training = read.Section("training", 1);

        Assert.Null(read.Find("rounding", 1));
        Message("has no section 'rounding', it has training", () => read.Section("rounding", 1));
        Message("section 'training' is of version 1, this Fewbit knows up to 0", () => read.Section("training", 0));
        Message("section 'training' has 'w' as float32 [2], expected float32 [3]", () => training.Tensor("w", ElementType.Float32, [3]));
        Message("section 'training' has no tensor 'v', it has w", () => training.Tensor("v"));
        Message("section 'training' has no value 'step', it has epoch", () => training.Get<int>("step"));
        Message("section 'training' has a value 'epoch' that is no String", () => training.Get<string>("epoch"));

        void Message(string expected, Action act) => Assert.StartsWith($"{Path}: {expected}", Assert.Throws<InvalidDataException>(act).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void RequireSame_OtherDataAndOptions_NamesBoth()
    {
        var problem = Assert.Throws<InvalidDataException>(() => s_fingerprint.RequireSame(s_fingerprint with { Data = "1", Options = "2" }, "run.json"));

        Assert.StartsWith("run.json: was made with other data and options;", problem.Message, StringComparison.Ordinal);
        s_fingerprint.RequireSame(s_fingerprint with { }, "run.json");
    }

    [Fact]
    public void OfTensors_OrderOfTheDictionary_DoesNotMatter()
    {
        var tensors = new Dictionary<string, Tensor> { ["a"] = Tensor.From(1f), ["b"] = Tensor.From(2f) };

        Assert.Equal(ContentHash.OfTensors(tensors), ContentHash.OfTensors(tensors.Reverse().ToDictionary()));
        Assert.NotEqual(ContentHash.OfTensors(tensors), ContentHash.OfTensors(new Dictionary<string, Tensor> { ["a"] = Tensor.From(2f), ["b"] = Tensor.From(1f) }));
        Assert.NotEqual(ContentHash.OfText("a", "bc"), ContentHash.OfText("ab", "c"));
    }

    private static Artifact Made(int epoch)
    {
        var artifact = new Artifact(Artifact.Checkpoint, s_fingerprint);
        ArtifactSection training = artifact.Add("training", 1);
        training.Set("epoch", epoch);
        training.Tensors["w"] = Tensor.From((float)epoch, 8f);
        return artifact;
    }

    private sealed record State(long Step, float Rate, DayOfWeek Day, string? Name);
}
