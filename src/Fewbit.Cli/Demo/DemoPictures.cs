using Fewbit.Tensors;

namespace Fewbit.Cli.Demo;

/// <summary>Generated pictures of twelve kinds of shape, for a demonstration that needs no files.</summary>
/// <remarks>
/// 32 x 32 RGB. A shape has random place, size, turn and colour, on a shaded background with noise and a blot.
/// Only +, -, *, / and square roots are used, so a seed gives the same bytes on every platform.
/// </remarks>
internal static class DemoPictures
{
    /// <summary>Width and height in pixels.</summary>
    public const int Size = 32;

    /// <summary>Bytes of one picture: [3, 32, 32].</summary>
    public const int ByteCount = 3 * Size * Size;

    /// <summary>Names of the classes, in the order of the model's outputs.</summary>
    public static IReadOnlyList<string> Classes { get; } =
        ["disc", "ring", "square", "frame", "triangle", "plus", "bar", "two discs", "half disc", "corner", "hourglass", "crescent"];

    /// <summary>Draws picture <paramref name="index"/> of the sequence of <paramref name="seed"/> as [3, 32, 32] bytes; its class is index modulo 12.</summary>
    public static void Draw(ulong seed, int index, Span<byte> pixels)
    {
        var random = new SeededRandom(seed * 1_000_003 + (ulong)index);
        int kind = index % Classes.Count;
        (float cos, float sin) = Turn(ref random);
        float radius = 6.5f + 5f * random.NextSingle();
        float centreX = Size / 2 + 8 * (random.NextSingle() - 0.5f), centreY = Size / 2 + 8 * (random.NextSingle() - 0.5f);
        Span<float> ground = stackalloc float[3], paint = stackalloc float[3], shade = stackalloc float[3], blot = stackalloc float[3];
        Colours(ref random, ground, paint, shade, blot);
        float blotX = Size * random.NextSingle(), blotY = Size * random.NextSingle(), blotRadius = 1.5f + 2.5f * random.NextSingle();
        float noise = 20 + 44 * random.NextSingle();
        for (int y = 0; y < Size; y++)
        {
            for (int x = 0; x < Size; x++)
            {
                float cover = 0;
                for (int sample = 0; sample < 4; sample++)
                {
                    float dx = (x + 0.25f + 0.5f * (sample & 1) - centreX) / radius, dy = (y + 0.25f + 0.5f * (sample >> 1) - centreY) / radius;
                    if (Covers(kind, cos * dx + sin * dy, cos * dy - sin * dx)) cover += 0.25f;
                }
                bool isBlot = (x - blotX) * (x - blotX) + (y - blotY) * (y - blotY) < blotRadius * blotRadius;
                float grey = noise * (random.NextSingle() + random.NextSingle() + random.NextSingle() - 1.5f);
                for (int c = 0; c < 3; c++)
                {
                    float under = ground[c] + shade[c] * (y - Size / 2) / Size;
                    float value = isBlot ? blot[c] : under + cover * (paint[c] - under);
                    pixels[(c * Size + y) * Size + x] = (byte)Math.Clamp(value + grey + noise * (random.NextSingle() - 0.5f), 0, 255);
                }
            }
        }
    }

    /// <summary>Whether the shape of radius about 1 around the origin covers a point.</summary>
    private static bool Covers(int kind, float u, float v)
    {
        float square = u * u + v * v, au = Math.Abs(u), av = Math.Abs(v), far = Math.Max(au, av);
        return kind switch
        {
            0 => square < 0.8f,
            1 => square is > 0.3f and < 0.9f,
            2 => far < 0.75f,
            3 => far is > 0.42f and < 0.8f,
            4 => v > -0.5f && v < 1 - 1.732f * au,
            5 => Math.Min(au, av) < 0.27f && far < 0.95f,
            6 => av < 0.27f && au < 1,
            7 => (au - 0.55f) * (au - 0.55f) + v * v < 0.18f,
            8 => square < 1 && v > 0,
            9 => Math.Max(u, v) < 0.8f && Math.Min(u, v) is > -0.8f and < -0.25f,
            10 => av < 0.9f && au < av,
            _ => square < 0.95f && (u - 0.5f) * (u - 0.5f) + v * v > 0.6f,
        };
    }

    /// <summary>A direction, each equally likely.</summary>
    private static (float Cos, float Sin) Turn(ref SeededRandom random)
    {
        while (true)
        {
            float x = 2 * random.NextSingle() - 1, y = 2 * random.NextSingle() - 1, square = x * x + y * y;
            if (square is > 0.01f and <= 1) return (x / MathF.Sqrt(square), y / MathF.Sqrt(square));
        }
    }

    private static void Colours(ref SeededRandom random, Span<float> ground, Span<float> paint, Span<float> shade, Span<float> blot)
    {
        float contrast = 0;
        while (contrast < 45)
        {
            contrast = 0;
            for (int c = 0; c < 3; c++)
            {
                ground[c] = 30 + 195 * random.NextSingle();
                paint[c] = 30 + 195 * random.NextSingle();
                contrast += Math.Abs(ground[c] - paint[c]) / 3;
            }
        }
        for (int c = 0; c < 3; c++)
        {
            shade[c] = 80 * (random.NextSingle() - 0.5f);
            blot[c] = 255 * random.NextSingle();
        }
    }
}
