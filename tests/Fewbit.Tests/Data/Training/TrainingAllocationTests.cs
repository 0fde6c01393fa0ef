using Fewbit.Data;
using Fewbit.Data.Training;
using Fewbit.Tensors;

namespace Fewbit.Tests.Data.Training;

/// <summary>The counter of allocated bytes is that of the whole process: no other test may run.</summary>
[CollectionDefinition(nameof(TrainingAllocationTests), DisableParallelization = true)]
[Collection(nameof(TrainingAllocationTests))]
public sealed class TrainingAllocationTests
{
    [Fact]
    public void Epoch_AfterWarmUp_AllocatesNothingForItsBatches()
    {
        var batches = new TrainingBatches(new Greys(600), [new("x", ElementType.Float32, ["N", 3, 4, 4])], Preprocessing.ZeroTo255, new() { BatchSize = 2, Augmentation = AugmentationOptions.Cifar });
        long few = 0, many = 0;
        for (int epoch = 0; epoch < 3; epoch++)
        {
            few = Allocated(epoch, firstBatch: 290);
            many = Allocated(epoch, firstBatch: 0);
        }

        // 290 batches more than the other; starting the thread costs the same for both.
        Assert.InRange(many - few, -4096, 4096);

        long Allocated(int epoch, int firstBatch)
        {
            long before = GC.GetTotalAllocatedBytes(precise: true);
            foreach (TrainingBatch batch in batches.Epoch(epoch, firstBatch)) GC.KeepAlive(batch);
            return GC.GetTotalAllocatedBytes(precise: true) - before;
        }
    }
}
