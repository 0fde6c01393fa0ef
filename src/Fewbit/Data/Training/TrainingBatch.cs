using Fewbit.Tensors;

namespace Fewbit.Data.Training;

/// <summary>One step's samples. Its tensors are used again: they hold these samples until the next batch is asked for.</summary>
public sealed class TrainingBatch
{
    internal TrainingBatch(IReadOnlyDictionary<string, Tensor> inputs, int count, Tensor? labels, Tensor? partnerLabels) =>
        (Inputs, Count, Labels, PartnerLabels) = (inputs, count, labels, partnerLabels);

    /// <summary>A tensor for each input, by name, the samples along dimension 0.</summary>
    public IReadOnlyDictionary<string, Tensor> Inputs { get; }

    /// <summary>Samples in the batch.</summary>
    public int Count { get; }

    /// <summary>Class of each sample, int64 [Count]; null where the data have no labels.</summary>
    public Tensor? Labels { get; }

    /// <summary>With mixup: class of the sample that was mixed into each, int64 [Count]; else null.</summary>
    public Tensor? PartnerLabels { get; }

    /// <summary>Share λ of <see cref="Labels"/>; <see cref="PartnerLabels"/> has 1 - λ. 1 without mixup.</summary>
    public float LabelWeight { get; internal set; } = 1;

    /// <summary>The epoch, from 0.</summary>
    public int Epoch { get; internal set; }

    /// <summary>Number of the batch in its epoch, from 0.</summary>
    public int Index { get; internal set; }
}
