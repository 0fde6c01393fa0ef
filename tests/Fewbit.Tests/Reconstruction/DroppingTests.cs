using Fewbit.Reconstruction;
using static Fewbit.Tests.Reconstruction.SmallNetwork;

namespace Fewbit.Tests.Reconstruction;

public sealed class DroppingTests
{
    /// <summary>The paper's claim at its smallest: weights and activations of 2 bits, judged on pictures that nothing was learned on. Its other order, 1 before 0, needs a larger network.</summary>
    [Fact]
    public void QDrop_HalfOfTheElementsDropped_ErrsLessThanNoneOrAllOnOtherSamples()
    {
        (double none, double half, double all) = (MeanError(1), MeanError(0.5), MeanError(0));
        Assert.True(half < 0.85 * none, $"error {half} with half of the elements dropped, {none} with none");
        Assert.True(half < 0.85 * all, $"error {half} with half of the elements dropped, {all} with all");
    }

    private static double MeanError(double probability) =>
        new ulong[] { 1, 2, 3 }.Average(seed => ErrorOf(Done(Small(ReconstructionMethod.QDrop(300, probability)), 2, 2, new() { Seed = seed }), 77, samples: 256));
}
