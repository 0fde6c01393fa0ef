using Microsoft.Playwright;

namespace Fewbit.Browser.Tests;

/// <summary>One browser for all tests of a class.</summary>
public sealed class BrowserFixture : IAsyncLifetime
{
    private IPlaywright? _playwright;
    private IBrowser? _browser;

    /// <summary>A folder for pages, removed at the end.</summary>
    public string Folder { get; } = Directory.CreateTempSubdirectory("fewbit-browser-").FullName;

    public async Task InitializeAsync()
    {
        if (Chromium.WhyNot is not null) return;
        string program = Chromium.Program ?? throw new InvalidOperationException("no Chromium was found on the PATH, and FEWBIT_CHROMIUM names none");
        _playwright = await Playwright.CreateAsync();
        // Chromium's sandbox does not start as root, which containers run as.
        _browser = await _playwright.Chromium.LaunchAsync(new() { ExecutablePath = program, Args = ["--no-sandbox"] });
    }

    public async Task DisposeAsync()
    {
        if (_browser is not null) await _browser.DisposeAsync();
        _playwright?.Dispose();
        Directory.Delete(Folder, recursive: true);
    }

    /// <summary>Opens a file in a window of its own, and notes what a page must not do.</summary>
    public async Task<OpenPage> OpenAsync(string path, int width = 1400, int height = 900, ColorScheme scheme = ColorScheme.Light, bool script = true)
    {
        IBrowserContext context = await _browser!.NewContextAsync(new() { ViewportSize = new() { Width = width, Height = height }, ColorScheme = scheme, JavaScriptEnabled = script });
        IPage page = await context.NewPageAsync();
        var opened = new OpenPage(context, page, []);
        string address = new Uri(path).AbsoluteUri;
        page.Console += (_, message) => opened.Faults.Add($"console: {message.Text}");
        page.PageError += (_, error) => opened.Faults.Add($"error: {error}");
        page.Dialog += (_, dialog) => opened.Faults.Add($"dialog: {dialog.Message}");
        page.Request += (_, request) =>
        {
            if (request.Url != address && !request.Url.StartsWith("data:", StringComparison.Ordinal)) opened.Faults.Add($"request: {request.Url}");
        };
        await page.GotoAsync(address);
        return opened;
    }
}

/// <summary>A page with what went wrong on it.</summary>
/// <param name="Context">Its window.</param>
/// <param name="Page">The page.</param>
/// <param name="Faults">Console lines, errors, dialogs, and requests for anything but the file.</param>
public sealed record OpenPage(IBrowserContext Context, IPage Page, List<string> Faults) : IAsyncDisposable
{
    public ValueTask DisposeAsync() => Context.DisposeAsync();
}
