using Fewbit.Data.Text;
using Fewbit.Testing;

namespace Fewbit.Tests.Data.Text;

public sealed class VocabularyTests : IDisposable
{
    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void OfCharacters_AnyUnicode_EncodesAndDecodes()
    {
        const string text = "b\na😀ab";
        var vocabulary = Vocabulary.OfCharacters(text);

        Assert.Equal(["\n", "a", "b", "😀"], vocabulary.Tokens);
        Assert.Equal([2, 0, 1, 3, 1, 2], vocabulary.Encode(text));
        Assert.Equal(text, vocabulary.Decode(vocabulary.Encode(text)));
    }

    [Fact]
    public void OfWords_Limited_KeepsTheMostFrequent()
    {
        var vocabulary = Vocabulary.OfWords(" b a b \n<unk> c c a b\n", size: 4);

        Assert.Equal(["<unk>", "<eos>", "b", "a"], vocabulary.Tokens);
        Assert.Equal([2, 3, 2, 1, 0, 0, 0, 3, 2, 1], vocabulary.Encode(" b a b \n<unk> c c a b\n"));
        Assert.Equal("b a \n", vocabulary.Decode([2, 3, 1]));
    }

    [Fact]
    public void Save_ThenLoad_GivesTheSame()
    {
        foreach (Vocabulary vocabulary in (Vocabulary[])[Vocabulary.OfCharacters("\"\\\u0001é😀"), Vocabulary.OfWords("the cat <unk>")])
        {
            vocabulary.Save(_folder.Path("vocab.json"));
            var loaded = Vocabulary.Load(_folder.Path("vocab.json"));
            Assert.Equal((vocabulary.Kind, string.Join('|', vocabulary.Tokens)), (loaded.Kind, string.Join('|', loaded.Tokens)));
        }
    }

    [Theory]
    [InlineData("""{"b": 0, "a": 1}""", VocabularyKind.Characters, "b a")]
    [InlineData("""["<unk>", "<eos>", "cat"]""", VocabularyKind.Words, "<unk> <eos> cat")]
    public void Load_ListOrMap_IsUnderstood(string json, VocabularyKind kind, string tokens)
    {
        var vocabulary = Vocabulary.Load(_folder.Write("vocab.json", json));

        Assert.Equal((kind, tokens), (vocabulary.Kind, string.Join(' ', vocabulary.Tokens)));
    }

    [Theory]
    [InlineData("""{"b": 0, "a": 2}""", "'a' has 2")]
    [InlineData("""{"b": 0, "a": "1"}""", "is no vocabulary")]
    [InlineData("""["a", "a"]""", "token 'a' has the numbers 0 and 1")]
    [InlineData("""["cat", "dog"]""", "needs <eos>")]
    [InlineData("""{"kind": "characters", "tokens": ["ab"]}""", "token 0, 'ab', is no single character")]
    [InlineData("""{"kind": "words"}""", "is no vocabulary")]
    [InlineData("""[]""", "at least one token")]
    [InlineData("""[""", "is no vocabulary")]
    public void Load_NoVocabulary_SaysWhy(string json, string expected)
    {
        string path = _folder.Write("vocab.json", json), message = Assert.Throws<InvalidDataException>(() => Vocabulary.Load(path)).Message;

        Assert.StartsWith(path, message, StringComparison.Ordinal);
        Assert.Contains(expected, message, StringComparison.Ordinal);
    }

    [Fact]
    public void Open_TextAndTokenFiles_GiveStreams()
    {
        string text = _folder.Write("a.txt", "\uFEFFabba\n"), numbers = _folder.Write("a.bin", [1, 0, 0, 1, 3, 0]);

        TokenStream ofText = TokenStream.Open(text), ofNumbers = TokenStream.Open(numbers);
        (TokenStream kept, TokenStream heldOut) = ofText.Split(0.4);

        Assert.Equal([1, 2, 2, 1, 0], ofText.Tokens.ToArray());
        Assert.Equal((257, "1,256,3"), (ofNumbers.VocabularySize, string.Join(',', ofNumbers.Tokens.ToArray())));
        Assert.Equal(("1,2,2", "1,0", 3), (string.Join(',', kept.Tokens.ToArray()), string.Join(',', heldOut.Tokens.ToArray()), heldOut.VocabularySize));
        // <unk> 0, <eos> 1, y 2, x 3; an empty line is an end of line.
        Assert.Equal([3, 2, 2, 1, 1, 3, 1], TokenStream.Open(_folder.Write("w.txt", "x y y\n\nx"), Vocabulary.OfWords("y y x")).Tokens.ToArray());
    }

    [Fact]
    public void Open_WrongFiles_SayWhy()
    {
        Says("a.txt", [0xFF, 0x41], null, "is not text in UTF-8: byte 0");
        Says("a.bin", [1, 2, 3], null, "has 3 bytes, expected token numbers of 2 bytes each");
        Says("b.bin", [9, 0], Vocabulary.OfCharacters("ab"), "token 0 is 9, expected 0 to 1: it is of another vocabulary");
        Says("b.txt", "a\nz"u8.ToArray(), Vocabulary.OfCharacters("a\n"), "line 2 has the character 'z', which the vocabulary of 2 does not have");
        Says("c.txt", [], null, "is empty");

        void Says(string name, byte[] bytes, Vocabulary? vocabulary, string expected) =>
            Assert.StartsWith($"{_folder.Path(name)}: {expected}", Assert.Throws<InvalidDataException>(() => TokenStream.Open(_folder.Write(name, bytes), vocabulary)).Message, StringComparison.Ordinal);
    }

    [DataFact("text/tinyshakespeare", "text/char_lstm_es", "text/ptb")]
    public void Open_RealTexts_HaveTheirKnownSizes()
    {
        TokenStream shakespeare = TokenStream.Open(Oracles.Data("text/tinyshakespeare/input.txt"));
        (TokenStream kept, TokenStream heldOut) = shakespeare.Split();
        var spanish = Vocabulary.Load(Oracles.Data("text/char_lstm_es/vocab.json"));
        TokenStream words = TokenStream.Open(Oracles.Data("text/ptb/ptb.valid.txt"), kind: VocabularyKind.Words);

        Assert.Equal((65, 1_003_854, 111_540), (shakespeare.VocabularySize, kept.Tokens.Length, heldOut.Tokens.Length));
        Assert.Equal(116, TokenStream.Open(Oracles.Data("text/char_lstm_es/teacher_samples_64x128_u16.bin"), spanish).VocabularySize);
        Assert.Equal(73_760, words.Tokens.Length);
    }
}
