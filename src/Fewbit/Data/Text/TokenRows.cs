using System.Globalization;
using System.Text.RegularExpressions;
using Fewbit.Tensors;

namespace Fewbit.Data.Text;

/// <summary>A token stream cut into rows, each one sample for a language model.</summary>
public sealed partial class TokenRows : DataSet
{
    private readonly TokenStream _stream;
    private readonly int _steps, _stride;

    private TokenRows(TokenStream stream, int steps, int stride, string form)
    {
        (_stream, _steps, _stride) = (stream, steps, stride);
        Description = string.Create(CultureInfo.InvariantCulture, $"{Count} {form} of {steps} tokens of {stream.Source}");
    }

    /// <inheritdoc/>
    public override string Description { get; }

    /// <inheritdoc/>
    public override int Count => (_stream.Tokens.Length - _steps) / _stride + 1;

    /// <inheritdoc/>
    public override bool IsPictures => false;

    /// <summary>Samples that were written one behind another.</summary>
    /// <param name="stream">All tokens.</param>
    /// <param name="steps">Tokens of a sample, at least 2.</param>
    /// <exception cref="InvalidDataException">The tokens do not fill whole samples.</exception>
    public static TokenRows Samples(TokenStream stream, int steps)
    {
        CheckLength(stream, steps);
        if (stream.Tokens.Length % steps != 0)
            throw new InvalidDataException($"{stream.Source}: has {stream.Tokens.Length} tokens, which are no whole samples of {steps} (--sequence-length)");
        return new(stream, steps, steps, "samples");
    }

    /// <summary>Windows of one text: each begins with the last token of the one before, so that every token but the first is predicted once. A rest that fills no window is left out.</summary>
    /// <param name="stream">All tokens.</param>
    /// <param name="steps">Tokens of a window, at least 2.</param>
    /// <exception cref="InvalidDataException">The text is shorter than a window.</exception>
    public static TokenRows Windows(TokenStream stream, int steps)
    {
        CheckLength(stream, steps);
        return new(stream, steps, steps - 1, "windows");
    }

    /// <summary>The samples and tokens a sample that a file name such as samples_32x96_u16.bin states; null where it states none that fit.</summary>
    /// <param name="path">The file.</param>
    /// <param name="tokens">Tokens in the file.</param>
    public static (int Samples, int Steps)? ShapeInName(string path, int tokens)
    {
        foreach (Match match in Shape().Matches(Path.GetFileName(path)))
        {
            if (int.TryParse(match.Groups[1].ValueSpan, CultureInfo.InvariantCulture, out int samples) && int.TryParse(match.Groups[2].ValueSpan, CultureInfo.InvariantCulture, out int steps)
                && steps >= 2 && (long)samples * steps == tokens) return (samples, steps);
        }
        return null;
    }

    /// <inheritdoc/>
    public override Sample Read(int index)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual((uint)index, (uint)Count, nameof(index));
        Tensor row = Tensor.AllocateUninitialized(ElementType.Int32, [_steps]);
        _stream.Tokens.Span.Slice(index * _stride, _steps).CopyTo(row.Span<int>());
        return Sample.Of(new Dictionary<string, Tensor> { ["tokens"] = row });
    }

    /// <inheritdoc/>
    public override string NameOf(int index) => string.Create(CultureInfo.InvariantCulture, $"{_stream.Source} tokens {index * _stride} to {index * _stride + _steps - 1}");

    private static void CheckLength(TokenStream stream, int steps)
    {
        ArgumentNullException.ThrowIfNull(stream);
        ArgumentOutOfRangeException.ThrowIfLessThan(steps, 2);
        if (stream.Tokens.Length < steps) throw new InvalidDataException($"{stream.Source}: has {stream.Tokens.Length} tokens, fewer than one row of {steps}; choose shorter rows (--sequence-length)");
    }

    [GeneratedRegex(@"(?<!\d)(\d+)x(\d+)(?!\d)", RegexOptions.None, matchTimeoutMilliseconds: 1000)]
    private static partial Regex Shape();
}
