using Fewbit.Data;
using Fewbit.Tensors;

namespace Fewbit.Evaluation;

/// <summary>Scores the outputs of two models sample by sample, batch after batch.</summary>
public abstract class PairedMetric
{
    /// <summary>What is measured.</summary>
    public abstract Metric Metric { get; }

    /// <summary>What was seen so far.</summary>
    /// <exception cref="ArgumentException">No sample could be judged.</exception>
    public abstract PairedScore Result { get; }

    /// <summary>Takes in one batch.</summary>
    /// <param name="reference">The float model's outputs by name.</param>
    /// <param name="model">The outputs of the model judged, of the same names and shapes.</param>
    /// <param name="batch">What both were given. Rows behind <see cref="SampleBatch.Count"/> are padding.</param>
    /// <exception cref="InvalidDataException">The outputs are none that this metric judges: the message names output, found, expected.</exception>
    public abstract void Add(IReadOnlyDictionary<string, Tensor> reference, IReadOnlyDictionary<string, Tensor> model, SampleBatch batch);
}
