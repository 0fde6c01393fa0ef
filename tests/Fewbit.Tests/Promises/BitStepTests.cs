using Fewbit.Promises;

namespace Fewbit.Tests.Promises;

public sealed class BitStepTests
{
    [Fact]
    public void Order_CheapLayers_ComeFirstForEachByte()
    {
        // a saves 50 bytes for 1 and 25 more for 9; b saves 500 for 1 and 250 more for 1.
        IReadOnlyList<BitStep> steps = BitStep.Order([("a", 100, 1, 10), ("b", 1000, 1, 2)]);
        Assert.Equal([("b", 4), ("b", 2), ("a", 4), ("a", 2)], steps.Select(step => (step.Node, step.Bits)));
        Assert.Equal(1 / 500.0, steps[0].CostPerByte, 12);
    }

    [Fact]
    public void Order_StepThatIsDearerThanTheNext_IsTakenWithIt()
    {
        // 4 bits cost 4 for 50 bytes, 2 bits only 1 more for 25: one step of 5 for 75 bytes.
        BitStep step = Assert.Single(BitStep.Order([("a", 100, 4, 5)]));
        Assert.Equal(("a", 2, 5 / 75.0), (step.Node, step.Bits, step.CostPerByte));
    }

    [Fact]
    public void Order_EveryPrefix_NeverRaisesBits()
    {
        var random = new Random(3);
        IReadOnlyList<BitStep> steps = BitStep.Order(Enumerable.Range(0, 50).Select(i => ($"layer{i}", 10L + i, random.NextDouble(), random.NextDouble() * 3)));
        foreach (IGrouping<string, BitStep> layer in steps.GroupBy(step => step.Node))
            Assert.Equal(layer.Select(step => step.Bits).OrderDescending(), layer.Select(step => step.Bits));
        Assert.Equal(50, steps.Count(step => step.Bits == 2));
    }
}
