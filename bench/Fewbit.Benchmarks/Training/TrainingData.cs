using System.Diagnostics;
using System.Globalization;
using Fewbit.Data;
using Fewbit.Data.Training;
using Fewbit.Tensors;

namespace Fewbit.Benchmarks.Training;

/// <summary>Pictures a second that the training reader gives with one background thread: training-data FILE [batch].</summary>
internal static class TrainingData
{
    private const int Epochs = 4;

    public static void Run(string[] args)
    {
        DataSet data = DataSetReader.Open(args[0]);
        int size = args.Length > 1 ? int.Parse(args[1], CultureInfo.InvariantCulture) : 128;
        foreach ((string name, AugmentationOptions augmentation) in (ReadOnlySpan<(string, AugmentationOptions)>)
            [("plain", AugmentationOptions.None), ("crop and flip", AugmentationOptions.Cifar), ("crop, flip, cutout and mixup", AugmentationOptions.Cifar with { CutoutSide = 8, MixupAlpha = 0.2 })])
        {
            var batches = new TrainingBatches(data, [new("input", ElementType.Float32, ["N", 3, 32, 32])], Preprocessing.Cifar10, new() { BatchSize = size, Augmentation = augmentation });
            double[] rates = [.. Enumerable.Range(0, Epochs).Select(epoch => Rate(batches, epoch, size))];
            Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{name}: {rates[0]:0} pictures/s in the first epoch, {rates[1..].Order().ElementAt(1):0} later (median of {Epochs - 1})"));
        }
    }

    private static double Rate(TrainingBatches batches, int epoch, int size)
    {
        long start = Stopwatch.GetTimestamp();
        int count = batches.Epoch(epoch).Count();
        return count * (double)size / Stopwatch.GetElapsedTime(start).TotalSeconds;
    }
}
