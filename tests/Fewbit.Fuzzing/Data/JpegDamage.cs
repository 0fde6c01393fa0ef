namespace Fewbit.Fuzzing.Data;

/// <summary>Changes inside one segment of a JPEG file: lengths, tables, sizes, sampling, scans.</summary>
internal static class JpegDamage
{
    public static byte[] Apply(byte[] file, Random random)
    {
        List<(int Start, int End)> segments = Segments(file);
        if (segments.Count == 0) return file;
        (int start, int end) = segments[random.Next(segments.Count)];
        byte[] segment = file[start..end];
        switch (random.Next(6))
        {
            case 0: return [.. file[..start], .. file[end..]];
            case 1: return [.. file[..end], .. segment, .. file[end..]];
            case 2:
                (int otherStart, int otherEnd) = segments[random.Next(segments.Count)];
                return [.. file[..start], .. file[otherStart..otherEnd], .. file[start..]];
            case 3:
                segment[1] = (byte)(0xC0 + random.Next(64));
                break;
            default:
                for (int changes = random.Next(1, 5); changes > 0; changes--) segment[random.Next(2, segment.Length)] = (byte)(random.Next(2) == 0 ? random.Next(256) : Interesting.Integer(random));
                break;
        }
        return [.. file[..start], .. segment, .. file[end..]];
    }

    /// <summary>Marker segments with a length, from the marker on.</summary>
    private static List<(int, int)> Segments(byte[] file)
    {
        var found = new List<(int, int)>();
        for (int at = 2; at + 4 <= file.Length && file[at] == 0xFF;)
        {
            int end = at + 2 + (file[at + 2] << 8 | file[at + 3]);
            if (end > file.Length) break;
            found.Add((at, end));
            if (file[at + 1] == 0xDA)
            {
                // Entropy-coded bytes follow: on to the next marker that is not a restart.
                while (end + 1 < file.Length && (file[end] != 0xFF || file[end + 1] is 0 or >= 0xD0 and <= 0xD7)) end++;
            }
            at = end;
        }
        return found;
    }
}
