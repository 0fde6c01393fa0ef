using Fewbit.Quantization;
using Fewbit.Testing;
using Fewbit.Tests.Models;

namespace Fewbit.Tests.Quantization;

/// <summary>Alone in the process, since they read its memory.</summary>
[Collection(LargeNetworks.Name)]
public sealed class CalibrationMemoryTests(ResNet20Fixture model) : IClassFixture<ResNet20Fixture>
{
    [DataFact(ResNet20Fixture.Model, ResNet20Fixture.Calibration)]
    public void Calibrate_MoreSamples_TakesNoMoreMemory()
    {
        long PeakGrowth(int samples)
        {
            GC.Collect();
            long before = GC.GetTotalMemory(true), peak = 0;
            Quantizer.For(model.Float).Calibrate(model.Batches(ResNet20Fixture.Calibration, samples, 16).Select(batch =>
            {
                peak = Math.Max(peak, GC.GetTotalMemory(true) - before);
                return batch.Inputs;
            })).RunAsync().GetAwaiter().GetResult();
            return peak;
        }

        _ = PeakGrowth(16);
        long few = PeakGrowth(32), many = PeakGrowth(256);
        // Batches read ahead and the sample list are the difference.
        Assert.InRange(many, 0, few + (16 << 20));
    }
}
