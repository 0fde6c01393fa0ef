using System.Collections;
using Fewbit.Data.Images;
using Fewbit.Graphs;
using Fewbit.Tensors;

namespace Fewbit.Data;

/// <summary>Reads a data set as batches of a model's inputs, in order, decoding ahead on background threads. Each enumeration starts anew.</summary>
/// <remarks>Where the model leaves the size open, a batch ends early when the next picture has another size.</remarks>
public sealed class SampleBatches : IEnumerable<SampleBatch>
{
    private readonly DataSet _data;
    private readonly SampleBatchesOptions _options;
    private readonly PicturePreprocessor? _pictures;
    private readonly ArrayInputs? _arrays;
    private readonly int? _fixedBatch;

    /// <param name="data">The samples.</param>
    /// <param name="inputs">The model's inputs.</param>
    /// <param name="preprocessing">For pictures: how they become numbers. Arrays are handed on as they are.</param>
    /// <param name="options">Batch size and threads; null for the defaults.</param>
    /// <exception cref="ArgumentException">The data do not fit the inputs: the message names input, expected, found.</exception>
    public SampleBatches(DataSet data, IReadOnlyList<ValueInfo> inputs, Preprocessing? preprocessing = null, SampleBatchesOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(data);
        ArgumentNullException.ThrowIfNull(inputs);
        (_data, _options) = (data, options ?? new());
        if (data.IsPictures) _pictures = Pictures(data, inputs, preprocessing);
        else _arrays = new ArrayInputs(inputs, data.Read(0).Arrays!, data.Description);
        Dim batch = inputs[0].Shape is { Rank: > 0 } shape ? shape[0] : Dim.Unknown;
        _fixedBatch = batch.IsKnown && batch.Length is > 0 and <= 65536 ? (int)batch.Length : null;
    }

    /// <summary>Samples a batch: the model's own where it is fixed.</summary>
    public int BatchSize => _fixedBatch ?? _options.BatchSize;

    /// <inheritdoc/>
    public IEnumerator<SampleBatch> GetEnumerator() => Enumerate(CancellationToken.None).GetEnumerator();

    IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();

    /// <summary>The batches; stops with <see cref="OperationCanceledException"/> when asked to.</summary>
    public IEnumerable<SampleBatch> Enumerate(CancellationToken cancellation)
    {
        var ahead = new Queue<Task<List<SampleBatch>>>();
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        try
        {
            for (int next = 0; next < _data.Count || ahead.Count > 0;)
            {
                for (; next < _data.Count && ahead.Count < _options.Threads; next += BatchSize)
                {
                    int first = next;
                    ahead.Enqueue(Task.Run(() => Read(first, Math.Min(BatchSize, _data.Count - first), stop.Token), stop.Token));
                }
                foreach (SampleBatch batch in ahead.Dequeue().GetAwaiter().GetResult()) yield return batch;
            }
        }
        finally
        {
            // Whoever stops early must not leave readers behind that still hold files.
            stop.Cancel();
            foreach (Task<List<SampleBatch>> task in ahead) task.ContinueWith(static done => done.Exception, TaskScheduler.Default).Wait(CancellationToken.None);
        }
    }

    internal static PicturePreprocessor Pictures(DataSet data, IReadOnlyList<ValueInfo> inputs, Preprocessing? preprocessing)
    {
        if (inputs.Count != 1)
            throw new ArgumentException($"the model has {inputs.Count} inputs ({string.Join(", ", inputs)}), {data.Description} fill one; give an .npz file with an array for each input", nameof(inputs));
        if (preprocessing is null) throw new ArgumentException($"{data.Description}: pictures need preprocessing; choose one of {string.Join(", ", Preprocessing.Presets.Select(preset => preset.Name))}", nameof(preprocessing));
        PictureInput input = PictureInput.TryFrom(inputs[0], preprocessing.Layout) ?? throw new ArgumentException(
            $"input {inputs[0]} does not take pictures, expected [N, 1 or 3, H, W], [N, H, W, 1 or 3] or square pictures as rows; {data.Description} are pictures: give .npy or .npz arrays of the model's shape", nameof(inputs));
        return new(preprocessing, input);
    }

    private List<SampleBatch> Read(int first, int count, CancellationToken cancellation)
    {
        if (_arrays is not null) return [_arrays.Batch(_data, first, count, _fixedBatch ?? count, Labels(first, count), cancellation)];
        var images = new Image[count];
        for (int i = 0; i < count; i++)
        {
            cancellation.ThrowIfCancellationRequested();
            images[i] = _pictures!.Fit(_data.Read(first + i).Picture!, _data.NameOf(first + i));
        }
        var batches = new List<SampleBatch>();
        for (int start = 0, end; start < count; start = end)
        {
            for (end = start + 1; end < count && images[end].Width == images[start].Width && images[end].Height == images[start].Height; end++) { }
            batches.Add(PictureBatch(images.AsSpan(start..end), first + start));
        }
        return batches;
    }

    private SampleBatch PictureBatch(ReadOnlySpan<Image> images, int first)
    {
        PictureInput input = _pictures!.Input;
        int rows = _fixedBatch ?? images.Length;
        Tensor tensor = Tensor.AllocateUninitialized(input.Type, input.BatchShape(rows, images[0].Height, images[0].Width));
        for (int row = 0; row < rows; row++) _pictures.Write(images[Math.Min(row, images.Length - 1)], tensor.Rows(row, 1).Bytes);
        return new(new Dictionary<string, Tensor> { [input.Name] = tensor }, images.Length, first, Labels(first, images.Length));
    }

    private int[]? Labels(int first, int count) => _data.Labels is { } labels ? [.. Enumerable.Range(first, count).Select(i => labels[i])] : null;
}
