using System.Diagnostics;
using Fewbit.Reports;
using Microsoft.Playwright;

namespace Fewbit.Browser.Tests;

public sealed class HtmlReportTests(BrowserFixture browser) : IClassFixture<BrowserFixture>
{
    [BrowserTheory]
    [InlineData(400, ColorScheme.Light)]
    [InlineData(400, ColorScheme.Dark)]
    [InlineData(1400, ColorScheme.Light)]
    [InlineData(1400, ColorScheme.Dark)]
    public async Task Page_AtTwoWidthsAndSchemes_FitsTheWindowAndIsSilent(int width, ColorScheme scheme)
    {
        await using OpenPage opened = await browser.OpenAsync(Written(SampleReports.Of(60, index => $"/model/stage{index / 10}/block{index}/a_rather_long_name/Conv")), width, scheme: scheme);
        Assert.Empty(opened.Faults);
        Assert.Equal(width, await opened.Page.EvaluateAsync<int>("document.documentElement.scrollWidth"));
        Assert.Equal(scheme == ColorScheme.Dark, await opened.Page.EvaluateAsync<bool>("parseInt(getComputedStyle(document.body).backgroundColor.match(/\\d+/)[0]) < 128"));
        Assert.Equal(width == 400 ? ".narrow" : ".wide", await opened.Page.EvaluateAsync<string>("[...document.querySelectorAll('.depth')].filter(chart => chart.getBoundingClientRect().width > 0).map(chart => '.' + chart.classList[1]).join()"));
    }

    [BrowserFact]
    public async Task Page_HostileNames_StayText()
    {
        await using OpenPage opened = await browser.OpenAsync(Written(SampleReports.OfHostileNames()), 400);
        Assert.Empty(opened.Faults);
        Assert.Equal(1, await opened.Page.Locator("script").CountAsync());
        Assert.Equal(0, await opened.Page.Locator("img").CountAsync());
        Assert.StartsWith("</script><script>document.title='owned'", await opened.Page.TitleAsync(), StringComparison.Ordinal);
        // Characters that turn text around are shown, not obeyed.
        Assert.Contains("\\u202Elayer", await opened.Page.Locator("h1").InnerTextAsync(), StringComparison.Ordinal);
        Assert.DoesNotContain('\u202E', await opened.Page.ContentAsync());
        Assert.Equal(400, await opened.Page.EvaluateAsync<int>("document.documentElement.scrollWidth"));
    }

    [BrowserFact]
    public async Task Header_ClickedThreeTimes_SortsUpDownAndBack()
    {
        await using OpenPage opened = await browser.OpenAsync(Written(SampleReports.Of(12, index => $"layer{index}")));
        ILocator header = opened.Page.Locator("table[data-sortable]").Last.Locator("th", new() { HasText = "SNR, dB" }), button = header.Locator("button");
        string[] original = await Names(opened.Page);
        Assert.Equal(12, original.Length);

        await button.ClickAsync();
        Assert.Equal("ascending", await header.GetAttributeAsync("aria-sort"));
        double[] rising = await Errors(opened.Page);
        Assert.Equal(rising.Order(), rising);
        Assert.NotEqual(original, await Names(opened.Page));

        await button.ClickAsync();
        Assert.Equal("descending", await header.GetAttributeAsync("aria-sort"));
        double[] falling = await Errors(opened.Page);
        Assert.Equal(falling.OrderDescending(), falling);

        await button.ClickAsync();
        Assert.Null(await header.GetAttributeAsync("aria-sort"));
        Assert.Equal(original, await Names(opened.Page));
    }

    [BrowserFact]
    public async Task Header_EnterOnTheKeyboard_Sorts()
    {
        await using OpenPage opened = await browser.OpenAsync(Written(SampleReports.Of(12, index => $"layer{index}")));
        ILocator header = opened.Page.Locator("table[data-sortable]").Last.Locator("th").First;
        await header.Locator("button").FocusAsync();
        await opened.Page.Keyboard.PressAsync("Enter");
        Assert.Equal("ascending", await header.GetAttributeAsync("aria-sort"));
        // Numbers in names count as numbers: layer2 comes before layer10.
        Assert.Equal(Enumerable.Range(0, 12).Select(index => $"layer{index}"), await Names(opened.Page));
    }

    [BrowserFact]
    public async Task Filter_OneWord_ShowsItsRowsAlone()
    {
        await using OpenPage opened = await browser.OpenAsync(Written(SampleReports.Of(20, index => $"layer{index}")));
        await opened.Page.GetByLabel("Filter").Last.FillAsync("computed float");
        Assert.Equal("4 of 20 rows", await opened.Page.Locator(".tools output").Last.InnerTextAsync());
        Assert.Equal(["layer4", "layer9", "layer14", "layer19"], await Names(opened.Page, "tbody tr:not([hidden]) th"));
    }

    [BrowserFact]
    public async Task Page_WithoutScript_IsCompleteAndHasNoDeadButtons()
    {
        await using OpenPage opened = await browser.OpenAsync(Written(SampleReports.Of(12, index => $"layer{index}")), script: false);
        Assert.Equal(0, await opened.Page.Locator("button, input").CountAsync());
        Assert.Equal(12, await opened.Page.Locator("table").Last.Locator("tbody tr").CountAsync());
        Assert.True(await opened.Page.Locator(".depth.wide").IsVisibleAsync());
    }

    [BrowserFact]
    public async Task Page_Printed_IsLightAndShowsEveryRow()
    {
        await using OpenPage opened = await browser.OpenAsync(Written(SampleReports.Of(60, index => $"layer{index}")), scheme: ColorScheme.Dark);
        await opened.Page.EmulateMediaAsync(new() { Media = Media.Print });
        Assert.Equal("rgb(255, 255, 255)", await opened.Page.EvaluateAsync<string>("getComputedStyle(document.body).backgroundColor"));
        Assert.True(await opened.Page.EvaluateAsync<bool>("[...document.querySelectorAll('.scroll')].every(box => box.scrollHeight <= box.clientHeight)"));
    }

    [BrowserFact]
    public async Task Quantize_WithReport_WritesAPageOfTheDemonstration()
    {
        string demo = Path.Combine(browser.Folder, "demo"), report = Path.Combine(browser.Folder, "demo.html");
        Fewbit("demo", "--keep", demo);
        Fewbit("quantize", $"{demo}/demo.onnx", "-c", $"{demo}/calibration.bin", "--labels", $"{demo}/classes.txt", "-o", $"{demo}/small.onnx", "--report", report);
        await using OpenPage opened = await browser.OpenAsync(report, 400);
        Assert.Empty(opened.Faults);
        Assert.Equal("demo.onnx → small.onnx", await opened.Page.Locator("h1").InnerTextAsync());
        Assert.Equal(["Accuracy", "Size", "Time of one run", "Error by depth", "Requested against applied", "Layers", "How it was made"], (await opened.Page.Locator("h2").AllInnerTextsAsync()).Skip(1));
        Assert.InRange(await opened.Page.Locator(".depth.narrow .dot").CountAsync(), 10, 33);
        Assert.Contains($"fewbit quantize {demo}/demo.onnx -c", await opened.Page.Locator("pre").InnerTextAsync(), StringComparison.Ordinal);
        Assert.Equal(400, await opened.Page.EvaluateAsync<int>("document.documentElement.scrollWidth"));
    }

    private string Written(HtmlReport report)
    {
        string path = Path.Combine(browser.Folder, $"{Guid.NewGuid():N}.html");
        report.Write(path);
        return path;
    }

    /// <summary>The names of the layers from top to bottom.</summary>
    private static async Task<string[]> Names(IPage page, string rows = "tbody th") => [.. await page.Locator("table[data-sortable]").Last.Locator(rows).AllInnerTextsAsync()];

    private static async Task<double[]> Errors(IPage page) => await page.EvaluateAsync<double[]>("""
        [...[...document.querySelectorAll('table[data-sortable]')].at(-1).tBodies[0].rows].map(row => Number(row.cells[4].dataset.value))
        """);

    private static void Fewbit(params string[] arguments)
    {
        string tool = Path.Combine(AppContext.BaseDirectory, "Fewbit.Cli.dll");
        using Process process = Process.Start(new ProcessStartInfo(Environment.ProcessPath is { } host && Path.GetFileNameWithoutExtension(host) == "dotnet" ? host : "dotnet", [tool, .. arguments]) { RedirectStandardError = true, RedirectStandardOutput = true })!;
        Task<string> output = process.StandardOutput.ReadToEndAsync();
        string messages = process.StandardError.ReadToEnd();
        process.WaitForExit();
        Assert.True(process.ExitCode == 0, messages + output.Result);
    }
}
