using System.Buffers.Binary;
using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using System.Text;

namespace Fewbit.Data.Text;

/// <summary>A long text as token numbers.</summary>
[SuppressMessage("Naming", "CA1711:Identifiers should not have incorrect suffix", Justification = "The field calls a long text a token stream.")]
public sealed class TokenStream
{
    private readonly int[] _tokens;

    /// <param name="tokens">Numbers from 0.</param>
    /// <param name="vocabularySize">Kinds of tokens: every number is below.</param>
    /// <param name="source">Where it comes from, for messages.</param>
    /// <param name="vocabulary">What the numbers mean; null where that is not known.</param>
    /// <exception cref="InvalidDataException">A number is not below <paramref name="vocabularySize"/>.</exception>
    public TokenStream(int[] tokens, int vocabularySize, string source = "tokens", Vocabulary? vocabulary = null)
    {
        ArgumentNullException.ThrowIfNull(tokens);
        int wrong = Array.FindIndex(tokens, token => (uint)token >= (uint)vocabularySize);
        if (wrong >= 0) throw new InvalidDataException($"{source}: token {wrong} is {tokens[wrong]}, expected 0 to {vocabularySize - 1}: it is of another vocabulary");
        (_tokens, VocabularySize, Source, Vocabulary) = (tokens, vocabularySize, source, vocabulary);
    }

    /// <summary>The numbers.</summary>
    public ReadOnlyMemory<int> Tokens => _tokens;

    /// <summary>Kinds of tokens.</summary>
    public int VocabularySize { get; }

    /// <summary>What the numbers mean; null where that is not known.</summary>
    public Vocabulary? Vocabulary { get; }

    /// <summary>Where the text comes from.</summary>
    public string Source { get; }

    /// <summary>One line for people.</summary>
    public string Description => string.Create(CultureInfo.InvariantCulture, $"{_tokens.Length} tokens of {Source}, {VocabularySize} kinds");

    /// <summary>Opens a file: <c>.bin</c> holds token numbers of 16 bits (little-endian), anything else is text in UTF-8.</summary>
    /// <param name="path">The file.</param>
    /// <param name="vocabulary">The tokens' numbers; null builds them from the text (of token files: as many as the largest number needs).</param>
    /// <param name="kind">What is built where <paramref name="vocabulary"/> is null.</param>
    /// <exception cref="InvalidDataException">The file is empty, damaged, or does not fit the vocabulary.</exception>
    public static TokenStream Open(string path, Vocabulary? vocabulary = null, VocabularyKind kind = VocabularyKind.Characters)
    {
        if (!File.Exists(path)) throw new FileNotFoundException($"{path}: there is no such file; expected a text file, or .bin with token numbers of 16 bits", path);
        if (new FileInfo(path).Length > Array.MaxLength) throw new InvalidDataException($"{path}: has more than {Array.MaxLength} bytes; split it");
        byte[] bytes = File.ReadAllBytes(path);
        if (bytes.Length == 0) throw new InvalidDataException($"{path}: is empty, expected text or token numbers");
        if (path.EndsWith(".bin", StringComparison.OrdinalIgnoreCase)) return FromNumbers(bytes, path, vocabulary);
        string text = Decode(bytes, path);
        vocabulary ??= kind == VocabularyKind.Words ? Vocabulary.OfWords(text) : Vocabulary.OfCharacters(text);
        return new(vocabulary.Encode(text, path), vocabulary.Tokens.Count, path, vocabulary);
    }

    /// <summary>Cuts the text in two: the second part is for judging.</summary>
    /// <param name="heldOutShare">Share of the second part, above 0 and below 1. Default a tenth.</param>
    public (TokenStream Kept, TokenStream HeldOut) Split(double heldOutShare = 0.1)
    {
        if (!(heldOutShare > 0 && heldOutShare < 1)) throw new ArgumentOutOfRangeException(nameof(heldOutShare), heldOutShare, "must be above 0 and below 1");
        int kept = (int)(_tokens.Length * (1 - heldOutShare));
        return (new(_tokens[..kept], VocabularySize, $"{Source}, first {kept}", Vocabulary), new(_tokens[kept..], VocabularySize, $"{Source}, last {_tokens.Length - kept}", Vocabulary));
    }

    private static TokenStream FromNumbers(byte[] bytes, string path, Vocabulary? vocabulary)
    {
        if (bytes.Length % sizeof(ushort) != 0) throw new InvalidDataException($"{path}: has {bytes.Length} bytes, expected token numbers of 2 bytes each; is it truncated?");
        var tokens = new int[bytes.Length / sizeof(ushort)];
        for (int i = 0; i < tokens.Length; i++) tokens[i] = BinaryPrimitives.ReadUInt16LittleEndian(bytes.AsSpan(i * sizeof(ushort)));
        return new(tokens, vocabulary?.Tokens.Count ?? tokens.Max() + 1, path, vocabulary);
    }

    private static string Decode(byte[] bytes, string path)
    {
        try
        {
            ReadOnlySpan<byte> text = bytes;
            return new UTF8Encoding(false, throwOnInvalidBytes: true).GetString(text.StartsWith(Encoding.UTF8.Preamble) ? text[3..] : text);
        }
        catch (DecoderFallbackException problem)
        {
            throw new InvalidDataException($"{path}: is not text in UTF-8: byte {problem.Index} cannot be read; save it as UTF-8, or name a file of token numbers .bin", problem);
        }
    }
}
