using Fewbit.Data;
using Fewbit.Testing;

namespace Fewbit.Tests.Data;

public sealed class PictureFilesTests : IDisposable
{
    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Open_SubFolders_LabelsAlphabetically()
    {
        _folder.WritePng("dog/1.png", 1);
        _folder.WritePng("cat/1.png", 2);
        _folder.WritePng("cat/deep/2.png", 3);

        DataSet data = DataSetReader.Open(_folder.Root);

        Assert.Equal([0, 0, 1], data.Labels!);
        Assert.Equal(["cat", "dog"], data.ClassNames!);
        Assert.Equal($"3 pictures of {_folder.Root} labelled by sub-folder, 2 classes in alphabetical order", data.Description);
        Assert.Equal(3, data.Read(1).Picture!.Pixels[0]);
    }

    [Fact]
    public void Open_SubFoldersWithLabelMap_UsesTheModelsOrder()
    {
        _folder.WritePng("dog/1.png");
        _folder.WritePng("n02123045/1.png");
        LabelMap map = LabelMap.Read(_folder.Write("classes.tsv", "0\tn02084071\tdog\n7\tn02123045\ttabby cat\n"));

        DataSet data = DataSetReader.Open(_folder.Root, new() { Labels = map });

        Assert.Equal([0, 7], data.Labels!);
        Assert.Equal("tabby cat", data.ClassNames![7]);
        Assert.Equal(7, map.Find("Tabby_Cat"));
    }

    [Fact]
    public void Open_SubFolderUnknownToTheMap_SuggestsAName()
    {
        _folder.WritePng("automobil/1.png");
        LabelMap map = LabelMap.Of(["airplane", "automobile"], "names.txt");

        Assert.Equal($"{_folder.Root}: class 'automobil' is not among the 2 of names.txt; did you mean 'automobile'?",
            Assert.Throws<InvalidDataException>(() => DataSetReader.Open(_folder.Root, new() { Labels = map })).Message);
    }

    [Fact]
    public void Open_NumberedSubFolders_AreTheNumbersAndNotSortedAsText()
    {
        foreach (int label in new[] { 0, 2, 10 }) _folder.WritePng($"{label}/a.png");

        Assert.Equal([0, 10, 2], DataSetReader.Open(_folder.Root).Labels!);
    }

    [Fact]
    public void Open_FolderOfTrainAndVal_AsksForOneOfThem()
    {
        foreach (string name in new[] { "train/cat/1.png", "val/cat/1.png" }) _folder.WritePng(name);

        Assert.Contains("its sub-folders (train, val) are parts of a data set, not classes; name one of them",
            Assert.Throws<InvalidDataException>(() => DataSetReader.Open(_folder.Root)).Message, StringComparison.Ordinal);
        Assert.Equal(["cat"], DataSetReader.Open(_folder.Path("train")).ClassNames!);
    }

    [Fact]
    public void Open_LeadingClassIds_AreLabels()
    {
        foreach (string name in new[] { "0003_n01440764.png", "0017_n01443537.png" }) _folder.WritePng(name);

        DataSet data = DataSetReader.Open(_folder.Root);

        Assert.Equal([3, 17], data.Labels!);
        Assert.Contains("labelled by the class number that file names begin with", data.Description, StringComparison.Ordinal);
    }

    [Fact]
    public void Open_RunningNumbers_AreNotLabels()
    {
        for (int i = 0; i < 5; i++) _folder.WritePng($"{i:0000}_photo.png");

        DataSet data = DataSetReader.Open(_folder.Root);

        Assert.Null(data.Labels);
        Assert.Contains("--label-pattern", data.Description, StringComparison.Ordinal);
    }

    [Fact]
    public void Open_LabelPattern_TakesItsGroup()
    {
        _folder.WritePng("img-dog-1.png");
        _folder.WritePng("img-cat-2.png");

        DataSet data = DataSetReader.Open(_folder.Root, new() { LabelPattern = "-([a-z]+)-" });

        Assert.Equal([0, 1], data.Labels!);
        Assert.Equal(["cat", "dog"], data.ClassNames!);
        Assert.EndsWith("img-cat-2.png: does not match the label pattern (dog)",
            Assert.Throws<InvalidDataException>(() => DataSetReader.Open(_folder.Root, new() { LabelPattern = "(dog)" })).Message, StringComparison.Ordinal);
        _folder.WritePng(new string('a', 40) + ".png");
        Assert.Contains("takes more than 1 s", Assert.Throws<ArgumentException>(() => DataSetReader.Open(_folder.Root, new() { LabelPattern = "^((a+)+)$" })).Message, StringComparison.Ordinal);
        Assert.Contains("has no group", Assert.Throws<ArgumentException>(() => DataSetReader.Open(_folder.Root, new() { LabelPattern = "dog" })).Message, StringComparison.Ordinal);
        Assert.Contains("not a regular expression", Assert.Throws<ArgumentException>(() => DataSetReader.Open(_folder.Root, new() { LabelPattern = "(dog" })).Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("file,label\na.png,dog\n\"sub/b,1.png\",cat\n")]
    [InlineData("a.png;dog\nsub/b,1.png;cat\n", "labels.csv")]
    [InlineData("class\tpath\ndog\ta.png\ncat\tsub/b,1.png\n", "labels.tsv")]
    public void Open_Csv_ReadsFilesAndLabels(string text, string name = "labels.csv")
    {
        _folder.WritePng("a.png", 1);
        _folder.WritePng("sub/b,1.png", 2);
        string path = _folder.Write(name, text);
        if (!text.Contains('"', StringComparison.Ordinal) && text.Contains(';', StringComparison.Ordinal)) path = _folder.Write(name, text.Replace("b,1", "b 1", StringComparison.Ordinal));
        _folder.WritePng("sub/b 1.png", 2);

        DataSet data = DataSetReader.Open(path);

        Assert.Equal([1, 0], data.Labels!);
        Assert.Equal([1, 2], Enumerable.Range(0, 2).Select(i => data.Read(i).Picture!.Pixels[0]));
    }

    [Fact]
    public void Open_FolderWithCsv_UsesIt()
    {
        _folder.WritePng("a.png");
        _folder.Write("labels.csv", "a.png,4\n");

        Assert.Equal([4], DataSetReader.Open(_folder.Root).Labels!);
    }

    [Fact]
    public void Open_CsvOfMissingPicture_NamesLineAndFile()
    {
        _folder.WritePng("a.png");
        string path = _folder.Write("labels.csv", "file,label\na.png,1\nb.png,2\n");

        Assert.Equal($"{path}: line 3 names the picture b.png, which is not in {_folder.Root}; paths are relative to the CSV file",
            Assert.Throws<InvalidDataException>(() => DataSetReader.Open(path)).Message);
        path = _folder.Write("labels.csv", "file,label\na.png\n");
        Assert.StartsWith($"{path}: line 2 has 1 cells", Assert.Throws<InvalidDataException>(() => DataSetReader.Open(path)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Open_NothingUsable_SaysWhatIsExpected()
    {
        Assert.StartsWith($"{_folder.Root}: is empty; expected a folder of PNG", Assert.Throws<InvalidDataException>(() => DataSetReader.Open(_folder.Root)).Message, StringComparison.Ordinal);
        _folder.Write("a.txt", "hello");
        Assert.StartsWith($"{_folder.Root}: holds no data that are known; expected", Assert.Throws<InvalidDataException>(() => DataSetReader.Open(_folder.Root)).Message, StringComparison.Ordinal);
        Assert.Contains("is of no known kind (it starts with 68656C6C6F)", Assert.Throws<InvalidDataException>(() => DataSetReader.Open(_folder.Path("a.txt"))).Message, StringComparison.Ordinal);
        Assert.Contains("there is no such file or folder", Assert.Throws<FileNotFoundException>(() => DataSetReader.Open(_folder.Path("none"))).Message, StringComparison.Ordinal);
        _folder.WritePng("x.png");
        _folder.WritePng("sub/y.png");
        Assert.Contains("has 1 pictures beside sub-folders with 1 more", Assert.Throws<InvalidDataException>(() => DataSetReader.Open(_folder.Root)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void ReadLabelMap_RepeatedIndex_IsRefused()
    {
        string path = _folder.Write("classes.tsv", "0\ta\n0\tb\n");
        Assert.Equal($"{path}: gives class index 0 twice ('a' and 'b')", Assert.Throws<InvalidDataException>(() => LabelMap.Read(path)).Message);
        Assert.Contains("is empty", Assert.Throws<InvalidDataException>(() => LabelMap.Read(_folder.Write("e.txt", "\n"))).Message, StringComparison.Ordinal);
    }

    [DataFact("imagenet/images", "imagenet/classes.tsv")]
    public void Open_ImageNetPictures_LabelsAreTheLeadingClassIds()
    {
        LabelMap map = LabelMap.Read(Oracles.Data("imagenet/classes.tsv"));

        DataSet data = DataSetReader.Open(Oracles.Data("imagenet/images"), new() { Labels = map });

        Assert.Equal((700, 700, 1000), (data.Count, data.Labels!.Distinct().Count(), map.Names.Count));
        Assert.All(Enumerable.Range(0, 700), i => Assert.Equal(data.Labels![i], map.Find(Path.GetFileNameWithoutExtension(data.NameOf(i))[5..])));
    }
}
