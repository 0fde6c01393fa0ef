namespace Fewbit.Data.Images.Jpeg;

/// <summary>Brings one row of a component to full width: triangle filters for factors of 2, replication for others.</summary>
/// <remarks>The filters weigh the nearer sample 3/4 and the further 1/4 in each direction; the alternating rounding is that of libjpeg-turbo.</remarks>
internal static class JpegUpsampler
{
    public static void Row(JpegFrame frame, JpegComponent component, int y, byte[] target)
    {
        int h = frame.MaxH / component.H, v = frame.MaxV / component.V;
        int row = y / v;
        ReadOnlySpan<byte> near = Samples(component, row);
        // Of two output rows per input row the first leans to the row above, the second to the row below.
        ReadOnlySpan<byte> far = v == 2 ? Samples(component, row + (y % 2 == 0 ? -1 : 1)) : near;
        bool wide = component.Width > 2;
        switch ((h, v))
        {
            case (1, 1): near.CopyTo(target); break;
            case (2, 1) when wide: Horizontal(near, target); break;
            case (1, 2): Vertical(near, far, y % 2 == 0 ? 1 : 2, target); break;
            case (2, 2) when wide: Both(near, far, target); break;
            default: Replicate(near, h, target); break;
        }
    }

    private static ReadOnlySpan<byte> Samples(JpegComponent component, int row) =>
        component.Samples.AsSpan(Math.Clamp(row, 0, component.Height - 1) * component.Stride, component.Width);

    private static void Horizontal(ReadOnlySpan<byte> s, Span<byte> target)
    {
        int last = s.Length - 1;
        target[0] = s[0];
        target[1] = (byte)((s[0] * 3 + s[1] + 2) >> 2);
        for (int x = 1; x < last; x++)
        {
            target[2 * x] = (byte)((s[x] * 3 + s[x - 1] + 1) >> 2);
            target[2 * x + 1] = (byte)((s[x] * 3 + s[x + 1] + 2) >> 2);
        }
        target[2 * last] = (byte)((s[last] * 3 + s[last - 1] + 1) >> 2);
        target[2 * last + 1] = s[last];
    }

    private static void Vertical(ReadOnlySpan<byte> near, ReadOnlySpan<byte> far, int bias, Span<byte> target)
    {
        for (int x = 0; x < near.Length; x++) target[x] = (byte)((near[x] * 3 + far[x] + bias) >> 2);
    }

    private static void Both(ReadOnlySpan<byte> near, ReadOnlySpan<byte> far, Span<byte> target)
    {
        int last = near.Length - 1;
        int previous = near[0] * 3 + far[0], current = previous;
        for (int x = 0; x <= last; x++)
        {
            int next = x < last ? near[x + 1] * 3 + far[x + 1] : current;
            target[2 * x] = (byte)((current * 3 + previous + 8) >> 4);
            target[2 * x + 1] = (byte)((current * 3 + next + 7) >> 4);
            (previous, current) = (current, next);
        }
    }

    private static void Replicate(ReadOnlySpan<byte> s, int factor, Span<byte> target)
    {
        for (int x = 0; x < s.Length; x++) target.Slice(x * factor, factor).Fill(s[x]);
    }
}
