using Fewbit.Tensors;

namespace Fewbit.Quantization;

/// <summary>Keeps all samples of batches: learning draws from them again and again.</summary>
internal sealed class SampleCollector
{
    private readonly Dictionary<string, List<Tensor>> _parts = new(StringComparer.Ordinal);

    /// <summary>Passes batches on and keeps a copy of each.</summary>
    public async IAsyncEnumerable<IReadOnlyDictionary<string, Tensor>> Keep(IAsyncEnumerable<IReadOnlyDictionary<string, Tensor>> batches)
    {
        await foreach (IReadOnlyDictionary<string, Tensor> batch in batches.ConfigureAwait(false))
        {
            Add(batch);
            yield return batch;
        }
    }

    /// <summary>Keeps a copy of a batch.</summary>
    public void Add(IReadOnlyDictionary<string, Tensor> batch)
    {
        foreach ((string name, Tensor tensor) in batch)
        {
            if (!_parts.TryGetValue(name, out List<Tensor>? parts)) _parts[name] = parts = [];
            Tensor copy = Tensor.AllocateUninitialized(tensor.Type, tensor.Shape);
            tensor.CopyTo(copy);
            parts.Add(copy);
        }
    }

    /// <summary>For each input, all samples along dimension 0.</summary>
    /// <exception cref="ArgumentException">Batches differ in more than their number of samples.</exception>
    public IReadOnlyDictionary<string, Tensor> Join() => _parts.ToDictionary(pair => pair.Key, pair => Join(pair.Key, pair.Value), StringComparer.Ordinal);

    private static Tensor Join(string name, List<Tensor> parts)
    {
        Tensor first = parts[0];
        if (first.Rank == 0) throw new ArgumentException($"input '{name}' is a scalar, expected samples along dimension 0: learned rounding draws samples one by one");
        if (parts.FirstOrDefault(part => part.Rank != first.Rank || part.Shape.With(0, 1) != first.Shape.With(0, 1)) is { } other)
            throw new ArgumentException($"batches give input '{name}' tensors of shape {first.Shape} and {other.Shape}; learned rounding draws single samples, so all must be of one size");
        Tensor all = Tensor.AllocateUninitialized(first.Type, first.Shape.With(0, parts.Sum(part => part.Shape[0])));
        long row = 0;
        foreach (Tensor part in parts)
        {
            part.CopyTo(all.Rows(row, part.Shape[0]));
            row += part.Shape[0];
        }
        return all;
    }
}
