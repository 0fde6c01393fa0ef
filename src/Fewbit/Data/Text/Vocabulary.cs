using System.Text;
using Fewbit.Storage;

namespace Fewbit.Data.Text;

/// <summary>What one token of a vocabulary is.</summary>
public enum VocabularyKind
{
    /// <summary>A Unicode character.</summary>
    Characters,

    /// <summary>A word between spaces; the end of a line is <see cref="Vocabulary.EndOfLine"/>.</summary>
    Words,
}

/// <summary>The tokens of a text, each with its number from 0.</summary>
public sealed class Vocabulary
{
    /// <summary>Stands for every word that the vocabulary does not have.</summary>
    public const string Unknown = "<unk>";

    /// <summary>Stands for the end of a line of words.</summary>
    public const string EndOfLine = "<eos>";

    private readonly Dictionary<string, int> _numbers;
    private readonly int _unknown, _end;

    /// <param name="kind">What a token is.</param>
    /// <param name="tokens">The tokens by number.</param>
    /// <exception cref="ArgumentException">A token is there twice or is none, or words lack <see cref="EndOfLine"/>.</exception>
    public Vocabulary(VocabularyKind kind, IReadOnlyList<string> tokens)
    {
        ArgumentNullException.ThrowIfNull(tokens);
        (Kind, Tokens) = (kind, tokens);
        if (tokens.Count == 0) throw new ArgumentException("a vocabulary has at least one token", nameof(tokens));
        _numbers = new(tokens.Count, StringComparer.Ordinal);
        foreach ((int number, string token) in tokens.Index())
        {
            if (kind == VocabularyKind.Characters ? !IsCharacter(token) && token != Unknown : token.Length == 0 || token.Any(char.IsWhiteSpace))
                throw new ArgumentException($"token {number}, '{Printable.Of(token)}', is no {(kind == VocabularyKind.Characters ? "single character" : "word")}", nameof(tokens));
            if (!_numbers.TryAdd(token, number)) throw new ArgumentException($"token '{Printable.Of(token)}' has the numbers {_numbers[token]} and {number}", nameof(tokens));
        }
        (_unknown, _end) = (_numbers.GetValueOrDefault(Unknown, -1), _numbers.GetValueOrDefault(EndOfLine, -1));
        if (kind == VocabularyKind.Words && _end < 0) throw new ArgumentException($"a vocabulary of words needs {EndOfLine}", nameof(tokens));
    }

    /// <summary>What a token is.</summary>
    public VocabularyKind Kind { get; }

    /// <summary>The tokens by number.</summary>
    public IReadOnlyList<string> Tokens { get; }

    /// <summary>The characters of a text, in the order of Unicode.</summary>
    public static Vocabulary OfCharacters(string text) =>
        new(VocabularyKind.Characters, [.. text.EnumerateRunes().Distinct().Order().Select(rune => rune.ToString())]);

    /// <summary><see cref="Unknown"/>, <see cref="EndOfLine"/>, and the words of a text, the most frequent first.</summary>
    /// <param name="text">Lines of words between spaces.</param>
    /// <param name="size">Most tokens, at least 2; rarer words are <see cref="Unknown"/>.</param>
    public static Vocabulary OfWords(string text, int size = int.MaxValue)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(size, 2);
        var counts = new Dictionary<string, int>(StringComparer.Ordinal);
        foreach (string word in text.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries)) counts[word] = counts.GetValueOrDefault(word) + 1;
        IEnumerable<string> words = counts.OrderByDescending(pair => pair.Value).ThenBy(pair => pair.Key, StringComparer.Ordinal).Select(pair => pair.Key);
        return new(VocabularyKind.Words, [Unknown, EndOfLine, .. words.Where(word => word is not (Unknown or EndOfLine)).Take(size - 2)]);
    }

    /// <summary>Reads what <see cref="Save"/> wrote; also a plain list of tokens, or a map from token to number.</summary>
    /// <exception cref="InvalidDataException">The file is no vocabulary.</exception>
    public static Vocabulary Load(string path) => VocabularyJson.Read(File.ReadAllBytes(path), path);

    /// <summary>Writes the vocabulary as JSON.</summary>
    public void Save(string path) => AtomicFile.Write(path, stream => stream.Write(VocabularyJson.Write(this)));

    /// <summary>The number of a token; null where there is none.</summary>
    public int? Find(string token) => _numbers.TryGetValue(token, out int number) ? number : null;

    /// <summary>The numbers of a text's tokens.</summary>
    /// <param name="text">The text.</param>
    /// <param name="source">Where it comes from, for messages.</param>
    /// <exception cref="InvalidDataException">It has a token that the vocabulary does not have, and no <see cref="Unknown"/> to stand for it.</exception>
    public int[] Encode(string text, string source = "the text")
    {
        ArgumentNullException.ThrowIfNull(text);
        var numbers = new List<int>(Kind == VocabularyKind.Characters ? text.Length : text.Length / 5);
        int line = 1;
        if (Kind == VocabularyKind.Characters)
        {
            foreach (Rune rune in text.EnumerateRunes())
            {
                numbers.Add(Require(rune.ToString(), line, source));
                if (rune.Value == '\n') line++;
            }
            return [.. numbers];
        }
        using var lines = new StringReader(text);
        for (; lines.ReadLine() is { } words; line++)
        {
            foreach (string word in words.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries)) numbers.Add(Require(word, line, source));
            numbers.Add(_end);
        }
        return [.. numbers];
    }

    /// <summary>The text of tokens; a word is followed by a space, <see cref="EndOfLine"/> by a new line.</summary>
    public string Decode(ReadOnlySpan<int> numbers)
    {
        var text = new StringBuilder();
        foreach (int number in numbers)
        {
            string token = Tokens[number];
            if (Kind == VocabularyKind.Characters) text.Append(token);
            else text.Append(number == _end ? "\n" : token + " ");
        }
        return text.ToString();
    }

    internal static bool IsCharacter(string token) => Rune.TryGetRuneAt(token + "\0", 0, out Rune rune) && token.Length > 0 && rune.Utf16SequenceLength == token.Length;

    private int Require(string token, int line, string source)
    {
        if (_numbers.TryGetValue(token, out int number)) return number;
        return _unknown >= 0 ? _unknown : throw new InvalidDataException($"{source}: line {line} has the {(Kind == VocabularyKind.Characters ? "character" : "word")} '{Printable.Of(token)}', which the vocabulary of {Tokens.Count} does not have");
    }
}
