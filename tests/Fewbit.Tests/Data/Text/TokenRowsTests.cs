using Fewbit.Data.Text;

namespace Fewbit.Tests.Data.Text;

public sealed class TokenRowsTests
{
    private static TokenStream Stream(int length) => new([.. Enumerable.Range(0, length)], length, "numbers.bin");

    private static int[] Row(TokenRows rows, int index) => rows.Read(index).Arrays!.Values.Single().Span<int>().ToArray();

    [Fact]
    public void Windows_Text_PredictsEachTokenOnce()
    {
        TokenRows rows = TokenRows.Windows(Stream(12), 4);
        Assert.Equal(3, rows.Count);
        Assert.Equal([0, 1, 2, 3], Row(rows, 0));
        Assert.Equal([3, 4, 5, 6], Row(rows, 1));
        int[] predicted = [.. Enumerable.Range(0, rows.Count).SelectMany(row => Row(rows, row)[1..])];
        Assert.Equal(Enumerable.Range(1, 9), predicted);
        Assert.Equal("numbers.bin tokens 3 to 6", rows.NameOf(1));
    }

    [Fact]
    public void Samples_WholeOnes_DoNotOverlap()
    {
        TokenRows rows = TokenRows.Samples(Stream(12), 4);
        Assert.Equal((3, "3 samples of 4 tokens of numbers.bin"), (rows.Count, rows.Description));
        Assert.Equal([8, 9, 10, 11], Row(rows, 2));
        Assert.Contains("has 13 tokens, which are no whole samples of 4", Assert.Throws<InvalidDataException>(() => TokenRows.Samples(Stream(13), 4)).Message, StringComparison.Ordinal);
        Assert.Contains("fewer than one row of 40", Assert.Throws<InvalidDataException>(() => TokenRows.Windows(Stream(13), 40)).Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("teacher_samples_32x96_u16.bin", 32 * 96, 96)]
    [InlineData("teacher_samples_32x96_u16.bin", 32 * 96 - 1, null)]
    [InlineData("v2x3 4x5.bin", 20, 5)]
    [InlineData("tokens.bin", 20, null)]
    public void ShapeInName_Product_MustBeTheNumberOfTokens(string name, int tokens, int? steps) => Assert.Equal(steps, TokenRows.ShapeInName("folder7x9/" + name, tokens)?.Steps);
}
