namespace ImageModel;

/// <summary>Drawn pictures, in place of yours: discs and squares on a plain ground, 32 x 32 RGB bytes.</summary>
internal static class Drawings
{
    public const int Size = 32;

    /// <summary>The model's classes of what is drawn.</summary>
    private const int Disc = 0, Square = 2;

    /// <summary>A picture as [height, width, RGB] bytes, as most image libraries give it, and its class.</summary>
    public static (byte[] Pixels, int Label) Next(Random random)
    {
        bool isDisc = random.Next(2) == 0;
        byte[] pixels = new byte[Size * Size * 3], ground = new byte[3], paint = new byte[3];
        do
        {
            random.NextBytes(ground);
            random.NextBytes(paint);
        }
        while (Enumerable.Range(0, 3).Sum(c => Math.Abs(ground[c] - paint[c])) < 200);
        double radius = 6 + 5 * random.NextDouble(), x0 = 12 + 8 * random.NextDouble(), y0 = 12 + 8 * random.NextDouble(), turn = random.NextDouble() * Math.PI;
        for (int y = 0; y < Size; y++)
        {
            for (int x = 0; x < Size; x++)
            {
                double u = ((x - x0) * Math.Cos(turn) + (y - y0) * Math.Sin(turn)) / radius, v = ((y - y0) * Math.Cos(turn) - (x - x0) * Math.Sin(turn)) / radius;
                bool isInside = isDisc ? u * u + v * v < 0.8 : Math.Max(Math.Abs(u), Math.Abs(v)) < 0.75;
                for (int c = 0; c < 3; c++) pixels[(y * Size + x) * 3 + c] = isInside ? paint[c] : ground[c];
            }
        }
        return (pixels, isDisc ? Disc : Square);
    }
}
