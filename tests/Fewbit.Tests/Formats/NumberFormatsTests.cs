using Fewbit.Formats;

namespace Fewbit.Tests.Formats;

public sealed class NumberFormatsTests
{
    [Theory]
    [MemberData(nameof(FormatCases.AllNames), MemberType = typeof(FormatCases))]
    public void Parse_TextOfAFormat_GivesItAgain(string name)
    {
        NumberFormat format = NumberFormats.Parse(name);
        Assert.Equal(name, format.ToString());
    }

    [Theory]
    [InlineData("int0")]
    [InlineData("int17")]
    [InlineData("uint8 narrow")]
    [InlineData("int1 narrow")]
    [InlineData("fp8e4m4")]
    [InlineData("fp9e4m4")]
    [InlineData("fp2e1m0")]
    [InlineData("fp4e1m2ieee")]
    [InlineData("fp8e4m3fnb200")]
    [InlineData("pot9")]
    [InlineData("apot1")]
    [InlineData("FP8E4M3FN")]
    [InlineData("")]
    public void Parse_NoFormat_SaysWhatIsExpected(string name)
    {
        ArgumentException e = Assert.Throws<ArgumentException>(() => NumberFormats.Parse(name));
        Assert.StartsWith($"there is no number format '{name}', expected {NumberFormats.Expected}", e.Message);
    }

    [Theory]
    [InlineData("-1 0\n0.5, 2", new float[] { -1, 0, 0.5f, 2 }, 2)]
    [InlineData("7", new float[] { 7 }, 1)]
    [InlineData("1 2 3 4 5", new float[] { 1, 2, 3, 4, 5 }, 3)]
    public void Parse_Codebook_ReadsTheFile(string text, float[] numbers, int bits) => InFile(text, path =>
    {
        NumberFormat format = NumberFormats.Parse($"codebook({path})");
        Assert.Equal(numbers, format.Numbers());
        Assert.Equal(bits, format.BitWidth);
        Assert.Equal($"codebook({path})", format.ToString());
        Assert.Equal(new CodebookFormat(numbers), format);
    });

    [Theory]
    [InlineData("", "has 0 numbers, expected 1 to 256")]
    [InlineData("1 2 two", "'two' is no number, expected 1 to 256 ascending numbers")]
    [InlineData("1 3 2", "has 2 at position 2 after 3, expected ascending numbers: sort them and drop repeated ones")]
    [InlineData("1 1", "has 1 at position 1 after 1, expected ascending numbers: sort them and drop repeated ones")]
    [InlineData("0 NaN", "has NaN at position 1, expected a finite number")]
    public void Parse_NoCodebook_SaysWhatIsWrong(string text, string message) => InFile(text, path =>
    {
        InvalidDataException e = Assert.Throws<InvalidDataException>(() => NumberFormats.Parse($"codebook({path})"));
        Assert.Contains(message, e.Message);
        Assert.Contains(path, e.Message);
    });

    [Fact]
    public void Parse_MissingCodebook_NamesTheFile() =>
        Assert.Equal("none.txt: no such codebook file", Assert.Throws<FileNotFoundException>(() => NumberFormats.Parse("codebook(none.txt)")).Message);

    private static void InFile(string text, Action<string> test)
    {
        string path = Path.Combine(Path.GetTempPath(), Path.GetRandomFileName());
        try
        {
            File.WriteAllText(path, text);
            test(path);
        }
        finally
        {
            File.Delete(path);
        }
    }
}
