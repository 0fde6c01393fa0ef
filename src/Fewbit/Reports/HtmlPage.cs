using System.Security.Cryptography;
using System.Text;

namespace Fewbit.Reports;

/// <summary>Puts a report's sections together.</summary>
internal static class HtmlPage
{
    private static readonly string s_style = Resource("report.css"), s_script = Resource("report.js");

    public static Html Of(HtmlReport report)
    {
        // Nothing may be loaded, and no script or style but ours may run, whatever a name holds.
        string policy = $"default-src 'none'; style-src '{Hash(s_style)}'; script-src '{Hash(s_script)}'; img-src data:";
        return Html.Of($"""
            <!doctype html>
            <html lang="en">
            <head>
            <meta charset="utf-8">
            <meta http-equiv="Content-Security-Policy" content="{Html.Own(policy)}">
            <meta name="viewport" content="width=device-width, initial-scale=1">
            <meta name="color-scheme" content="light dark">
            <link rel="icon" href="data:,">
            <title>{report.Title} - Fewbit</title>
            <style>{Html.Own(s_style)}</style>
            </head>
            <body>
            <header>
            {Mark}
            <div><p class="kind">{report.Kind}</p><h1><bdi>{report.Title}</bdi></h1></div>
            </header>
            <main>
            {SummarySection.Of(report)}
            {FigureCards.Of(report)}
            {Notices(report)}
            {DepthSection.Of(report)}
            {RequestedSection.Of(report)}
            {LayerSection.Of(report)}
            {report.Tables.Select((table, index) => TableMarkup.Section($"table-{index}", table))}
            {MadeSection(report)}
            </main>
            <footer>Made by Fewbit. Intervals are 95 %. This file is complete in itself: it loads nothing.</footer>
            <script>{Html.Own(s_script)}</script>
            </body>
            </html>

            """);
    }

    /// <summary>Eight bits, two of them set.</summary>
    private static Html Mark { get; } = Html.Of($"""<svg class="mark" viewBox="0 0 44 20" aria-hidden="true">{Enumerable.Range(0, 8).Select(bit => Html.Of(
        $"""<rect class="{(bit is 2 or 5 ? "set" : "unset")}" x="{bit % 4 * 12}" y="{bit / 4 * 12}" width="8" height="8" rx="2"/>"""))}</svg>""");

    private static Html Notices(HtmlReport report)
    {
        string[] warnings = [.. report.Warnings, .. report.Quantization?.Warnings ?? []];
        if (warnings.Length == 0 && report.Remarks.Count == 0) return default;
        return Html.Of($"""
            <section class="notices" aria-label="Remarks">
            {warnings.Select(text => Html.Of($"<p class=\"warning\"><strong>Warning</strong> {text}</p>\n"))}{report.Remarks.Select(text => Html.Of($"<p>{text}</p>\n"))}</section>
            """);
    }

    private static Html MadeSection(HtmlReport report)
    {
        if (report.Settings.Count == 0 && report.Command is null) return default;
        Html command = report.Command is { } text ? Html.Of($"<pre tabindex=\"0\" aria-label=\"Command\"><code>{text}</code></pre>") : default;
        return Html.Of($"""
            <section aria-labelledby="made">
            <h2 id="made">How it was made</h2>
            {command}
            <dl class="settings">
            {report.Settings.Select(setting => Html.Of($"<div><dt>{setting.Name}</dt><dd><bdi>{setting.Value}</bdi></dd></div>\n"))}</dl>
            </section>
            """);
    }

    private static string Hash(string text) => $"sha256-{Convert.ToBase64String(SHA256.HashData(Encoding.UTF8.GetBytes(text)))}";

    private static string Resource(string name)
    {
        using Stream stream = typeof(HtmlPage).Assembly.GetManifestResourceStream(name) ?? throw new InvalidOperationException($"Bug in the build: {name} is not embedded");
        using var reader = new StreamReader(stream);
        // The browser hashes what it has parsed, and there a line ends in \n.
        return reader.ReadToEnd().ReplaceLineEndings("\n");
    }
}
