using Fewbit.Tensors.Kernels;

namespace Fewbit.Tensors.Tests.Kernels;

[Collection(nameof(KernelPathSwitch))]
public sealed unsafe class FakeQuantizerTests
{
    private static readonly FakeQuantizer.Grid[] s_grids = [new(0.1f, -8, 7), new(0.37f, 0, 255), new(2, -3, 3)];

    [Theory]
    [InlineData(3, 1, false)]
    [InlineData(6, 9, false)]
    [InlineData(3, 16, true)]
    [InlineData(3, 33, false)]
    [InlineData(9, 40_001, true)]
    [InlineData(3, 700_003, false)] // written past the caches
    public void Run_AnyPath_EqualsTheFormula(int rows, int inner, bool inPlace)
    {
        var random = new SeededRandom(1);
        float[] x = new float[rows * inner];
        foreach (ref float value in x.AsSpan()) value = (float)(3 * random.NextNormal());
        (x[0], x[^1]) = (float.NaN, float.PositiveInfinity);
        if (inner > 4) (x[1], x[2], x[3]) = (float.NegativeInfinity, 0.05f, -0.15f);
        float[] expected = [.. x.Select((value, i) => FakeQuantizer.Reference(value, s_grids[i / inner % 3]))];
        Assert.True(float.IsNaN(expected[0]));
        Paths.Each(path =>
        {
            float[] from = [.. x], to = inPlace ? from : new float[x.Length + 1];
            fixed (float* source = from, target = to) FakeQuantizer.Run(source, inPlace ? source : target + 1, rows, inner, s_grids);
            Assert.True(expected.AsSpan().SequenceEqual(to.AsSpan(inPlace ? 0 : 1)), $"{path}");
        });
    }
}
