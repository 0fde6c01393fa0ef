using Fewbit.Reports;

namespace Fewbit.Tests.Reports;

public class HtmlTests
{
    [Theory]
    [InlineData("a < b && c > d", "a &lt; b &amp;&amp; c &gt; d")]
    [InlineData("\"x\" 'y'", "&quot;x&quot; &#39;y&#39;")]
    [InlineData("</script>", "&lt;/script&gt;")]
    [InlineData("bell\a nul\0 turned\u202E zero\u200Bwidth", "bell\\u0007 nul\\u0000 turned\\u202E zero\\u200Bwidth")]
    [InlineData("µs → 層 🙂", "µs → 層 🙂")]
    public void Escape_AnyText_CannotBecomeMarkup(string text, string expected) => Assert.Equal(expected, Html.Escape(text));

    [Fact]
    public void Escape_HalfOfASurrogatePair_IsReplaced() => Assert.Equal("half \uFFFD of a pair", Html.Escape($"half {(char)0xD83D} of a pair"));

    [Fact]
    public void Of_PartsPutIn_AreEscapedUnlessTheyAreMarkup()
    {
        string name = "<b>";
        Assert.Equal("<p>&lt;b&gt;3 0.5 <i>x</i><i>y</i></p>", Html.Of($"<p>{name}{3L} {0.5} {new[] { "x", "y" }.Select(letter => Html.Of($"<i>{letter}</i>"))}</p>").ToString());
    }
}
