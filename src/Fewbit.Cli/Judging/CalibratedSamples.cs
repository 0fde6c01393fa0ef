using Fewbit.Quantization;

namespace Fewbit.Cli.Judging;

/// <summary>Takes the samples out of the library's progress.</summary>
internal sealed class CalibratedSamples(IProgress<long> progress) : IProgress<QuantizationProgress>
{
    public void Report(QuantizationProgress value)
    {
        // The last stages count nothing.
        if (value.Total is not null) progress.Report(value.Done);
    }
}
