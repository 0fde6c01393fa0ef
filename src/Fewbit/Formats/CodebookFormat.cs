using System.Globalization;
using System.Numerics;
using Fewbit.Tensors.Kernels;

namespace Fewbit.Formats;

/// <summary>Any table of up to 256 numbers, ascending; the code of a number is its place.</summary>
public sealed record CodebookFormat : LevelFormat
{
    /// <summary>The most numbers a codebook may have.</summary>
    public const int MaxCount = 256;

    private readonly float[] _numbers;
    private readonly string _source;

    /// <summary>A codebook of given numbers.</summary>
    /// <param name="numbers">1 to 256 finite numbers, each above the one before.</param>
    /// <param name="source">Where they come from: the file that <see cref="Name"/> states.</param>
    /// <exception cref="ArgumentException">There are none or too many, or they do not ascend.</exception>
    public CodebookFormat(ReadOnlySpan<float> numbers, string source = "")
    {
        string what = source.Length == 0 ? "the codebook" : $"codebook {source}";
        if (numbers.Length is 0 or > MaxCount) throw new ArgumentException($"{what} has {numbers.Length} numbers, expected 1 to {MaxCount}", nameof(numbers));
        for (int i = 0; i < numbers.Length; i++)
        {
            if (!float.IsFinite(numbers[i])) throw new ArgumentException(string.Create(CultureInfo.InvariantCulture, $"{what} has {numbers[i]} at position {i}, expected a finite number"), nameof(numbers));
            if (i > 0 && numbers[i] <= numbers[i - 1])
                throw new ArgumentException(string.Create(CultureInfo.InvariantCulture, $"{what} has {numbers[i]} at position {i} after {numbers[i - 1]}, expected ascending numbers: sort them and drop repeated ones"), nameof(numbers));
        }
        (_numbers, _source) = (numbers.ToArray(), source);
    }

    /// <inheritdoc/>
    public override int BitWidth => Math.Max(1, BitOperations.Log2(BitOperations.RoundUpToPowerOf2((uint)_numbers.Length)));

    /// <inheritdoc/>
    public override string Name => _source.Length > 0 ? $"codebook({_source})" : string.Create(CultureInfo.InvariantCulture, $"codebook of {_numbers.Length}");

    /// <summary>Reads a text file of numbers, separated by white space or commas.</summary>
    /// <exception cref="FileNotFoundException">There is no such file.</exception>
    /// <exception cref="InvalidDataException">The file does not hold a codebook.</exception>
    public static CodebookFormat Read(string path)
    {
        if (!File.Exists(path)) throw new FileNotFoundException($"{path}: no such codebook file", path);
        // 256 numbers take a few kilobytes: whatever is longer is no codebook.
        if (new FileInfo(path).Length > 1 << 16) throw new InvalidDataException($"{path}: is longer than 64 KiB, expected a text of 1 to {MaxCount} numbers");
        string[] words = File.ReadAllText(path).Split((char[])[',', ' ', '\t', '\r', '\n'], StringSplitOptions.RemoveEmptyEntries);
        try
        {
            return new(Array.ConvertAll(words, word => Number(path, word)), path);
        }
        catch (ArgumentException e)
        {
            throw new InvalidDataException(e.Message, e);
        }
    }

    /// <inheritdoc/>
    /// <remarks>Codes beyond the table stand for its last number.</remarks>
    public override float Decode(int code, int zeroPoint = 0) => _numbers[Math.Clamp(code, 0, _numbers.Length - 1)];

    /// <summary>True for the same numbers, wherever they come from.</summary>
    public bool Equals(CodebookFormat? other) => other is not null && _numbers.AsSpan().SequenceEqual(other._numbers);

    /// <inheritdoc/>
    public override int GetHashCode() => HashCode.Combine(_numbers.Length, _numbers[0], _numbers[^1]);

    /// <inheritdoc/>
    public override string ToString() => Name;

    private protected override LevelTable CreateTable() => new(_numbers, [.. Enumerable.Range(0, _numbers.Length)]);

    private static float Number(string path, string word) => float.TryParse(word, NumberStyles.Float, CultureInfo.InvariantCulture, out float number) ? number
        : throw new InvalidDataException($"{path}: '{word}' is no number, expected 1 to {MaxCount} ascending numbers");
}
