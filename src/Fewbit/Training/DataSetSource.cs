using System.Text.Json;
using Fewbit.Data;
using Fewbit.Data.Training;
using Fewbit.Graphs;
using Fewbit.Storage;
using Fewbit.Tensors;

namespace Fewbit.Training;

/// <summary>A data set as batches for a <see cref="Trainer"/>: its labels are the target, or an array of that name.</summary>
public sealed class DataSetSource : ITrainingSource
{
    private readonly TrainingBatches _batches;

    /// <param name="data">The samples.</param>
    /// <param name="model">The model that is trained; its inputs say what the samples become.</param>
    /// <param name="preprocessing">For pictures: how they become numbers.</param>
    /// <param name="options">Batch size, order, augmentation; null for the defaults.</param>
    /// <exception cref="ArgumentException">The data do not fit the model, or have no labels and no array "target".</exception>
    public DataSetSource(DataSet data, Graph model, Preprocessing? preprocessing = null, TrainingBatchesOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(data);
        ArgumentNullException.ThrowIfNull(model);
        options ??= new();
        List<ValueInfo> inputs = [.. model.Inputs.Where(input => input.Constant is null).Select(input => new ValueInfo(input.Name, input.Type, input.Shape))];
        if (data.Labels is null)
        {
            if (data.IsPictures) throw new ArgumentException($"{data.Description}: has no labels to learn", nameof(data));
            inputs.Add(new(Trainer.Target, ElementType.Float32, model.Outputs[0].Shape));
        }
        _batches = new(data, inputs, preprocessing, options);
        Description = data.Description;
        Fingerprint = ContentHash.OfText(ContentHash.OfData(data), preprocessing?.ToJson() ?? "", JsonSerializer.Serialize(options with { Prefetch = 1, Threads = 1, CacheBytes = 0 }));
    }

    /// <inheritdoc/>
    public string Description { get; }

    /// <inheritdoc/>
    public string Fingerprint { get; }

    /// <inheritdoc/>
    public int StepsPerEpoch => _batches.BatchesPerEpoch;

    /// <inheritdoc/>
    public IEnumerable<IReadOnlyDictionary<string, Tensor>> Epoch(int epoch, int first, CancellationToken cancellation)
    {
        var tensors = new Dictionary<string, Tensor>(StringComparer.Ordinal);
        Tensor share = Tensor.Scalar(1f);
        foreach (TrainingBatch batch in _batches.Epoch(epoch, first, cancellation))
        {
            foreach ((string name, Tensor tensor) in batch.Inputs) tensors[name] = tensor;
            if (batch.Labels is not null) tensors[Trainer.Target] = batch.Labels;
            if (batch.PartnerLabels is not null)
            {
                (tensors[Trainer.SecondTarget], tensors[Trainer.Share]) = (batch.PartnerLabels, share);
                share.Span<float>()[0] = batch.LabelWeight;
            }
            yield return tensors;
        }
    }
}
