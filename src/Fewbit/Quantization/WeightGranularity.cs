namespace Fewbit.Quantization;

/// <summary>Which weights of a layer share one scale.</summary>
public enum WeightGranularity
{
    /// <summary>Those of one output channel.</summary>
    PerChannel,
    /// <summary>All of them.</summary>
    PerTensor,
}
