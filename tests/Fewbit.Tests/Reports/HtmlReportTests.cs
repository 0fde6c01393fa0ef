using Fewbit.Evaluation;
using Fewbit.Reports;

namespace Fewbit.Tests.Reports;

public class HtmlReportTests
{
    [Fact]
    public void ToHtml_EmptyReport_HasItsTitleAndNoEmptySections()
    {
        string page = new HtmlReport { Title = "nothing" }.ToHtml();
        Assert.Contains("<bdi>nothing</bdi>", page, StringComparison.Ordinal);
        Assert.DoesNotContain("<section", page, StringComparison.Ordinal);
        Assert.DoesNotContain("http", page.Replace("http-equiv", "", StringComparison.Ordinal), StringComparison.Ordinal);
    }

    [Fact]
    public void ToHtml_Figures_ShowNumbersChangesAndIntervals()
    {
        string page = new HtmlReport
        {
            Title = "x",
            Accuracy = [new("top-1", FigureUnit.Share, new(0.956, new(0.946, 0.964)), new(0.9245, new(0.912, 0.935)), new(-0.0315, new(-0.0398, -0.0231)))],
            Sizes = [new("file", FigureUnit.Bytes, new(177_000), new(63_000))],
            Times = [new("Fewbit", FigureUnit.Seconds, new(97.8e-6), new(195.6e-6))],
        }.ToHtml();
        foreach (string text in new[] { "-3.15 points", "95 %: -3.98 to -2.31", "95.60 %", "94.60 % to 96.40 %", "2.81x smaller", "63.0 kB", "2.00x slower", "97.8 µs" })
            Assert.Contains(text, page, StringComparison.Ordinal);
    }

    [Fact]
    public void ToHtml_InfiniteAndMissingErrors_AreDrawnAndLeftOut()
    {
        LayerDifference[] layers = [new("a", "n1", "Conv", double.PositiveInfinity, 1), new("b", "n2", "Conv", double.NaN, 1), new("c", "n3", "Conv", 20, 0.99) { Layer = "conv3" }];
        string page = new HtmlReport { Title = "x", Comparison = new(8, 21, null, layers, [], []), ComparedOn = "8 samples" }.ToHtml();
        Assert.Contains("The lowest is at <bdi><code>conv3</code></bdi>", page, StringComparison.Ordinal);
        Assert.Contains("<title>a: equal (Conv n1)</title>", page, StringComparison.Ordinal);
        Assert.DoesNotContain("<title>b:", page, StringComparison.Ordinal);
        Assert.DoesNotContain("NaN", page[..page.IndexOf("<script>", StringComparison.Ordinal)], StringComparison.Ordinal);
    }

    [Fact]
    public void Write_FolderThatIsNotThere_LeavesNothing()
    {
        string folder = Path.Combine(Path.GetTempPath(), $"fewbit-{Guid.NewGuid():N}");
        Assert.Throws<DirectoryNotFoundException>(() => new HtmlReport { Title = "x" }.Write(Path.Combine(folder, "a.html")));
        Assert.False(Directory.Exists(folder));
    }
}
