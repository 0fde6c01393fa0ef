using System.Globalization;
using System.Runtime.CompilerServices;
using System.Text;

namespace Fewbit.Reports;

/// <summary>Markup. In an interpolated string everything that is put in is escaped unless it is markup itself, so that no name out of a model file becomes a tag.</summary>
internal readonly struct Html
{
    private readonly string? _markup;

    private Html(string markup) => _markup = markup;

    /// <summary>Markup from an interpolated string.</summary>
    public static Html Of(ref Handler text) => new(text.Build());

    /// <summary>Markup of our own, such as a style sheet.</summary>
    public static Html Own(string markup) => new(markup);

    /// <summary>Parts behind one another.</summary>
    public static Html Join(IEnumerable<Html> parts) => new(string.Concat(parts));

    /// <inheritdoc/>
    public override string ToString() => _markup ?? "";

    /// <summary>Text as it stands between tags and in quoted attributes. Characters that turn or hide text become visible.</summary>
    public static string Escape(string text)
    {
        var escaped = new StringBuilder(text.Length + 16);
        foreach (Rune rune in text.EnumerateRunes())
        {
            _ = rune.Value switch
            {
                '&' => escaped.Append("&amp;"),
                '<' => escaped.Append("&lt;"),
                '>' => escaped.Append("&gt;"),
                '"' => escaped.Append("&quot;"),
                '\'' => escaped.Append("&#39;"),
                '\n' or '\t' => escaped.Append(rune),
                _ when Rune.GetUnicodeCategory(rune) is UnicodeCategory.Control or UnicodeCategory.Format or UnicodeCategory.PrivateUse or UnicodeCategory.LineSeparator or UnicodeCategory.ParagraphSeparator =>
                    escaped.Append(CultureInfo.InvariantCulture, $"\\u{rune.Value:X4}"),
                _ => escaped.Append(rune),
            };
        }
        return escaped.ToString();
    }

    /// <summary>Takes an interpolated string apart; what it has no overload for does not compile.</summary>
    [InterpolatedStringHandler]
    internal readonly ref struct Handler(int literalLength, int formattedCount)
    {
        private readonly StringBuilder _text = new(literalLength + 16 * formattedCount);

        public void AppendLiteral(string markup) => _text.Append(markup);

        public void AppendFormatted(Html markup) => _text.Append(markup.ToString());

        public void AppendFormatted(IEnumerable<Html> parts) => _text.Append(Join(parts).ToString());

        public void AppendFormatted(string? text) => _text.Append(Escape(text ?? ""));

        public void AppendFormatted(long number) => _text.Append(CultureInfo.InvariantCulture, $"{number}");

        public void AppendFormatted(double number, string format = "0.##") => _text.Append(number.ToString(format, CultureInfo.InvariantCulture));

        public string Build() => _text.ToString();
    }
}
