using System.Buffers.Binary;

namespace Fewbit.Fuzzing;

/// <summary>Changes of bytes without knowledge of the format.</summary>
internal static class ByteMutations
{
    /// <summary>One to eight changes.</summary>
    /// <param name="bytes">The file.</param>
    /// <param name="random">Decides.</param>
    /// <param name="other">A file to splice from.</param>
    public static byte[] Apply(byte[] bytes, Random random, byte[] other)
    {
        int changes = 1 << random.Next(4);
        for (int i = 0; i < changes; i++) bytes = Once(bytes, random, other);
        return bytes;
    }

    private static byte[] Once(byte[] bytes, Random random, byte[] other)
    {
        if (bytes.Length == 0) return [.. other.Take(random.Next(64))];
        int at = random.Next(bytes.Length);
        switch (random.Next(14))
        {
            case 0: return bytes[..at];
            case 1: return [.. bytes[..at], .. Piece(other, random), .. bytes[at..]];
            case 2: return [.. bytes[..at], .. Piece(bytes, random), .. bytes[at..]];
            case 3: return [.. bytes[..at], .. bytes[Math.Min(bytes.Length, at + 1 + random.Next(16))..]];
            case 4: return other.Length == 0 ? bytes : [.. bytes[..at], .. other[random.Next(other.Length)..]];
        }
        bytes = [.. bytes];
        switch (random.Next(6))
        {
            case 0: bytes[at] = (byte)random.Next(256); break;
            case 1: bytes[at] = (byte)Interesting.Integer(random); break;
            case 2 when at + 4 <= bytes.Length: BinaryPrimitives.WriteInt32LittleEndian(bytes.AsSpan(at), (int)Interesting.Integer(random)); break;
            case 3 when at + 2 <= bytes.Length: BinaryPrimitives.WriteInt16BigEndian(bytes.AsSpan(at), (short)Interesting.Integer(random)); break;
            case 4 when at + 8 <= bytes.Length: BinaryPrimitives.WriteInt64LittleEndian(bytes.AsSpan(at), Interesting.Integer(random)); break;
            default: bytes[at] ^= (byte)(1 << random.Next(8)); break;
        }
        return bytes;
    }

    private static byte[] Piece(byte[] from, Random random)
    {
        if (from.Length == 0) return [];
        int start = random.Next(from.Length);
        return from[start..Math.Min(from.Length, start + 1 + random.Next(64))];
    }
}
