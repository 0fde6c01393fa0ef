using System.Globalization;
using Fewbit.Tensors;

namespace Fewbit.Formats;

/// <summary>The integer codes that a bit-width and a signedness allow.</summary>
/// <param name="BitWidth">Bits per code, 1 to 16.</param>
/// <param name="IsSigned">True: two's complement. False: codes start at 0.</param>
/// <param name="IsNarrow">Signed only: drops the lowest code, so int8 is -127..127.</param>
public sealed record IntegerFormat(int BitWidth, bool IsSigned, bool IsNarrow = false)
{
    /// <summary>Codes -128 to 127.</summary>
    public static IntegerFormat Int8 { get; } = new(8, IsSigned: true);

    /// <summary>Codes 0 to 255.</summary>
    public static IntegerFormat UInt8 { get; } = new(8, IsSigned: false);

    /// <summary>Bits per code.</summary>
    public int BitWidth { get; } = Require.InRange(BitWidth, 1, 16);

    /// <summary>Lowest code.</summary>
    public int Min => IsSigned ? (IsNarrow ? 1 : 0) - (1 << (BitWidth - 1)) : 0;

    /// <summary>Highest code.</summary>
    public int Max => (1 << (IsSigned ? BitWidth - 1 : BitWidth)) - 1;

    /// <summary>The smallest element type of whole bytes that holds every code.</summary>
    public ElementType StorageType => (BitWidth > 8, IsSigned) switch
    {
        (false, false) => ElementType.UInt8,
        (false, true) => ElementType.Int8,
        (true, false) => ElementType.UInt16,
        (true, true) => ElementType.Int16,
    };

    /// <summary>The name users write: int8, uint4.</summary>
    public string Name => string.Create(CultureInfo.InvariantCulture, $"{(IsSigned ? "int" : "uint")}{BitWidth}");

    /// <summary>The format of a name: int1 to int16, uint1 to uint16.</summary>
    /// <exception cref="ArgumentException">There is no such format.</exception>
    public static IntegerFormat Parse(string name)
    {
        bool isSigned = !name.StartsWith('u');
        string digits = name[(isSigned ? 0 : 1)..];
        bool isFormat = digits.StartsWith("int", StringComparison.Ordinal)
            && int.TryParse(digits.AsSpan(3), NumberStyles.None, CultureInfo.InvariantCulture, out int bits) && bits is >= 1 and <= 16;
        return isFormat ? new(int.Parse(digits.AsSpan(3), CultureInfo.InvariantCulture), isSigned)
            : throw new ArgumentException($"there is no integer format '{name}', expected int1 to int16 or uint1 to uint16, such as int8", nameof(name));
    }

    /// <summary>The form of messages: int8, int8 narrow.</summary>
    public override string ToString() => IsNarrow ? $"{Name} narrow" : Name;
}
