using System.Security.Cryptography;
using Fewbit.Tensors;

namespace Fewbit.Storage;

/// <summary>Hash of what batches hold, while somebody else reads them: input by input, wherever one batch ends and the next begins.</summary>
internal sealed class BatchHash : IDisposable
{
    private readonly SortedDictionary<string, IncrementalHash> _inputs = new(StringComparer.Ordinal);

    /// <summary>Of all batches so far.</summary>
    public string Result => ContentHash.OfText([.. _inputs.Select(input => $"{input.Key} {Convert.ToHexStringLower(input.Value.GetCurrentHash())}")]);

    /// <summary>Passes batches on.</summary>
    public async IAsyncEnumerable<IReadOnlyDictionary<string, Tensor>> Watch(IAsyncEnumerable<IReadOnlyDictionary<string, Tensor>> batches)
    {
        await foreach (IReadOnlyDictionary<string, Tensor> batch in batches.ConfigureAwait(false))
        {
            foreach ((string name, Tensor tensor) in batch) Add(name, tensor);
            yield return batch;
        }
    }

    public void Dispose()
    {
        foreach (IncrementalHash hash in _inputs.Values) hash.Dispose();
    }

    private void Add(string name, Tensor tensor)
    {
        if (!_inputs.TryGetValue(name, out IncrementalHash? hash))
        {
            _inputs[name] = hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
            hash.AppendData([(byte)tensor.Type]);
        }
        hash.AppendData(tensor.Bytes);
    }
}
