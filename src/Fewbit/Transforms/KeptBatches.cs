using Fewbit.Tensors;

namespace Fewbit.Transforms;

/// <summary>The first calibration batches, kept for transforms that look at data; memory is bounded by their number of samples.</summary>
internal sealed class KeptBatches
{
    private readonly List<IReadOnlyDictionary<string, Tensor>> _batches = [];

    /// <summary>No data.</summary>
    public static KeptBatches None { get; } = new();

    public IReadOnlyList<IReadOnlyDictionary<string, Tensor>> Batches => _batches;

    /// <summary>Samples kept.</summary>
    public long SampleCount { get; private set; }

    /// <summary>Keeps batches until they hold enough samples.</summary>
    /// <param name="batches">Where they come from.</param>
    /// <param name="samples">Enough.</param>
    /// <param name="cancellation">Stops it.</param>
    public static async Task<KeptBatches> ReadAsync(IAsyncEnumerator<IReadOnlyDictionary<string, Tensor>> batches, int samples, CancellationToken cancellation)
    {
        var kept = new KeptBatches();
        while (kept.SampleCount < samples && await batches.MoveNextAsync().ConfigureAwait(false))
        {
            cancellation.ThrowIfCancellationRequested();
            kept.Keep(batches.Current);
        }
        return kept;
    }

    /// <summary>The kept batches, then what follows them.</summary>
    public async IAsyncEnumerable<IReadOnlyDictionary<string, Tensor>> Then(IAsyncEnumerator<IReadOnlyDictionary<string, Tensor>> rest)
    {
        foreach (IReadOnlyDictionary<string, Tensor> batch in _batches) yield return batch;
        while (await rest.MoveNextAsync().ConfigureAwait(false)) yield return rest.Current;
    }

    /// <summary>Samples of a batch: the first length of its tensors.</summary>
    public static long CountOf(IReadOnlyDictionary<string, Tensor> batch) => batch.Values.First() is { Rank: > 0 } first ? first.Shape[0] : 1;

    /// <summary>Keeps a copy: a source may fill its tensors again.</summary>
    private void Keep(IReadOnlyDictionary<string, Tensor> batch)
    {
        var copies = new Dictionary<string, Tensor>(StringComparer.Ordinal);
        foreach ((string name, Tensor tensor) in batch)
        {
            copies[name] = Tensor.AllocateUninitialized(tensor.Type, tensor.Shape);
            tensor.CopyTo(copies[name]);
        }
        _batches.Add(copies);
        SampleCount += CountOf(batch);
    }
}
