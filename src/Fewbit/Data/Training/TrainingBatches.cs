using Fewbit.Data.Images;
using Fewbit.Graphs;
using Fewbit.Tensors;

namespace Fewbit.Data.Training;

/// <summary>Reads a data set for training: shuffled, augmented, ahead of the reader on background threads, into tensors that are used again.</summary>
/// <remarks>
/// Every batch is a function of seed, epoch and number: the number of threads does not change it, and a run that resumes in the middle of an epoch sees what it would have seen.
/// Once pictures are cached, an epoch allocates nothing for its batches.
/// </remarks>
public sealed class TrainingBatches
{
    private readonly DataSet _data;
    private readonly TrainingBatchesOptions _options;
    private readonly ArrayInputs? _arrays;
    private readonly PictureCache? _pictures;
    private readonly PictureWriter? _writer;
    private readonly PictureInput? _input;
    private readonly int[] _order;
    private Slot[]? _slots;
    private ulong _epochSeed;
    private int _isRunning;

    /// <param name="data">The samples.</param>
    /// <param name="inputs">The inputs to fill: for pictures one float32 input; arrays are matched by name, so that targets may be among them.</param>
    /// <param name="preprocessing">For pictures: how they become numbers.</param>
    /// <param name="options">Null for the defaults.</param>
    /// <exception cref="ArgumentException">The data do not fit the inputs or the options: the message names expected and found.</exception>
    public TrainingBatches(DataSet data, IReadOnlyList<ValueInfo> inputs, Preprocessing? preprocessing = null, TrainingBatchesOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(data);
        ArgumentNullException.ThrowIfNull(inputs);
        (_data, _options, _order) = (data, options ?? new(), new int[data.Count]);
        AugmentationOptions augmentation = _options.Augmentation;
        if (data.IsPictures)
        {
            PicturePreprocessor pictures = SampleBatches.Pictures(data, inputs, preprocessing);
            (_input, _writer, _pictures) = (pictures.Input, new PictureWriter(pictures, augmentation), new PictureCache(data, pictures, _options.CacheBytes));
        }
        else if (augmentation != AugmentationOptions.None) throw new ArgumentException($"{data.Description}: only pictures can be augmented; turn augmentation off", nameof(options));
        else _arrays = new ArrayInputs(inputs, data.Read(0).Arrays!, data.Description);
        Dim batch = inputs[0].Shape is { Rank: > 0 } shape ? shape[0] : Dim.Unknown;
        bool isFixed = batch.IsKnown && batch.Length is > 0 and <= 65536;
        BatchSize = isFixed ? (int)batch.Length : _options.BatchSize;
        DropLast = isFixed || _options.DropLast;
        if (DropLast && data.Count < BatchSize) throw new ArgumentException($"{data.Description}: has {data.Count} samples, fewer than one batch of {BatchSize}; choose a smaller batch", nameof(options));
    }

    /// <summary>Samples a batch: the model's own where it is fixed.</summary>
    public int BatchSize { get; }

    /// <summary>Whether an epoch leaves out the samples that fill no whole batch.</summary>
    public bool DropLast { get; }

    /// <summary>Batches of one epoch.</summary>
    public int BatchesPerEpoch => DropLast ? _data.Count / BatchSize : (_data.Count + BatchSize - 1) / BatchSize;

    /// <summary>The batches of an epoch, in order. One epoch is read at a time; a batch holds until the next is asked for.</summary>
    /// <param name="epoch">Number of the epoch, from 0.</param>
    /// <param name="firstBatch">The batch to start with, 0 to <see cref="BatchesPerEpoch"/>.</param>
    /// <param name="cancellation">Stops with <see cref="OperationCanceledException"/>.</param>
    /// <exception cref="InvalidDataException">A sample is damaged; the message names it.</exception>
    public IEnumerable<TrainingBatch> Epoch(int epoch, int firstBatch = 0, CancellationToken cancellation = default)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(epoch);
        ArgumentOutOfRangeException.ThrowIfGreaterThan((uint)firstBatch, (uint)BatchesPerEpoch, nameof(firstBatch));
        return Read(epoch, firstBatch, cancellation);
    }

    private IEnumerable<TrainingBatch> Read(int epoch, int firstBatch, CancellationToken cancellation)
    {
        if (Interlocked.Exchange(ref _isRunning, 1) == 1) throw new InvalidOperationException("an epoch of these batches is being read; finish or stop its enumeration before the next");
        try
        {
            _slots ??= [.. Enumerable.Range(0, _options.Prefetch + 1).Select(_ => new Slot(this))];
            _epochSeed = SampleOrder.Derive((ulong)_options.Seed, epoch);
            SampleOrder.Fill(_order, _options.Shuffle, _epochSeed);
            var prefetcher = new Prefetcher<Slot>(_slots, _options.Threads, (slot, index) => Fill(slot, index));
            foreach (Slot slot in prefetcher.Run(firstBatch, BatchesPerEpoch, cancellation))
            {
                slot.Current.Epoch = epoch;
                yield return slot.Current;
            }
        }
        finally
        {
            _isRunning = 0;
        }
    }

    private void Fill(Slot slot, int index)
    {
        int first = index * BatchSize, count = Math.Min(BatchSize, _data.Count - first);
        slot.Current = count == BatchSize ? slot.Full : slot.Part!;
        TrainingBatch batch = slot.Current;
        batch.Index = index;
        ReadOnlySpan<int> samples = _order.AsSpan(first, count);
        if (_arrays is not null)
            for (int row = 0; row < count; row++) _arrays.Write(_data, samples[row], batch.Inputs, row);
        else WritePictures(samples, slot.Pixels!.Span<float>());
        if (_data.Labels is { } labels)
            for (int row = 0; row < count; row++) batch.Labels!.Span<long>()[row] = labels[samples[row]];
        if (slot.Partners is not null) Mix(slot, batch, index);
    }

    private void WritePictures(ReadOnlySpan<int> samples, Span<float> target)
    {
        Image first = _pictures!.First;
        int length = first.Pixels.Length;
        ulong seed = SampleOrder.Derive(_epochSeed, 1);
        for (int row = 0; row < samples.Length; row++)
        {
            var random = new SeededRandom(SampleOrder.Derive(seed, samples[row]));
            PictureChange change = PictureChange.Draw(ref random, _options.Augmentation, first.Width, first.Height);
            _writer!.Write(_pictures.Get(samples[row]), change, target.Slice(row * length, length));
        }
    }

    private void Mix(Slot slot, TrainingBatch batch, int index)
    {
        var random = new SeededRandom(SampleOrder.Derive(SampleOrder.Derive(_epochSeed, 2), index));
        Span<int> partners = slot.Partners.AsSpan(0, batch.Count);
        for (int i = 0; i < partners.Length; i++) partners[i] = i;
        random.Shuffle(partners);
        batch.LabelWeight = (float)Mixup.DrawShare(ref random, _options.Augmentation.MixupAlpha);
        int numbers = batch.Count * _pictures!.First.Pixels.Length;
        Mixup.Apply(slot.Pixels!.Span<float>()[..numbers], slot.Unmixed!.Span<float>()[..numbers], partners, batch.LabelWeight);
        if (batch.PartnerLabels is null) return;
        for (int i = 0; i < partners.Length; i++) batch.PartnerLabels.Span<long>()[i] = batch.Labels!.Span<long>()[partners[i]];
    }

    /// <summary>The tensors of one batch, and views of their first rows for the smaller last batch.</summary>
    private sealed class Slot
    {
        public Slot(TrainingBatches owner)
        {
            (int rows, int rest) = (owner.BatchSize, owner._data.Count % owner.BatchSize);
            bool isMixed = owner._options.Augmentation.MixupAlpha > 0, hasLabels = owner._data.Labels is not null;
            Dictionary<string, Tensor> inputs = owner._arrays?.Allocate(rows) ?? Pictures(owner, rows);
            if (owner._arrays is null) Pixels = inputs.Values.Single();
            Tensor? labels = hasLabels ? Tensor.Allocate(ElementType.Int64, [rows]) : null, partners = hasLabels && isMixed ? Tensor.Allocate(ElementType.Int64, [rows]) : null;
            if (isMixed) (Partners, Unmixed) = (new int[rows], Tensor.Allocate(ElementType.Float32, Pixels!.Shape));
            Current = Full = new(inputs, rows, labels, partners);
            if (rest > 0 && !owner.DropLast)
                Part = new(inputs.ToDictionary(pair => pair.Key, pair => pair.Value.Rows(0, rest), StringComparer.Ordinal), rest, labels?.Rows(0, rest), partners?.Rows(0, rest));
        }

        public TrainingBatch Full { get; }
        public TrainingBatch? Part { get; }
        public TrainingBatch Current { get; set; }
        public Tensor? Pixels { get; }
        public Tensor? Unmixed { get; }
        public int[]? Partners { get; }

        private static Dictionary<string, Tensor> Pictures(TrainingBatches owner, int rows)
        {
            Image first = owner._pictures!.First;
            return new(StringComparer.Ordinal) { [owner._input!.Name] = Tensor.AllocateUninitialized(ElementType.Float32, owner._input.BatchShape(rows, first.Height, first.Width)) };
        }
    }
}
