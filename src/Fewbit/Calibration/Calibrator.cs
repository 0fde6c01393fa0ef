using Fewbit.Graphs;
using Fewbit.Tensors;

namespace Fewbit.Calibration;

/// <summary>Runs a float graph on samples and keeps a range estimator for each value of interest.</summary>
/// <remarks>Memory is bounded by one batch and one estimator a value, whatever the number of samples.</remarks>
public sealed class Calibrator
{
    private readonly Dictionary<string, RangeEstimator> _estimators;
    private readonly ObservingRunner _runner;
    private readonly BlockedElements _elements = new();

    /// <param name="graph">The float graph, prepared for quantization.</param>
    /// <param name="values">Names of the float32 values to observe.</param>
    /// <param name="rule">How ranges are estimated.</param>
    public Calibrator(Graph graph, IEnumerable<string> values, RangeRule rule)
        : this(graph, values.ToDictionary(name => name, _ => rule.CreateEstimator(), StringComparer.Ordinal))
    {
    }

    /// <param name="graph">The float graph, prepared for quantization.</param>
    /// <param name="estimators">By name of the float32 value that each observes.</param>
    internal Calibrator(Graph graph, Dictionary<string, RangeEstimator> estimators)
    {
        _estimators = estimators;
        _runner = new(graph, _estimators.Keys.ToHashSet(StringComparer.Ordinal));
    }

    /// <summary>The estimators by value name.</summary>
    public IReadOnlyDictionary<string, RangeEstimator> Estimators => _estimators;

    /// <summary>Samples observed: the sum of the batches' first lengths.</summary>
    public long SampleCount { get; private set; }

    /// <summary>Observes one batch.</summary>
    /// <exception cref="ArgumentException">The batch does not fit the graph's inputs.</exception>
    public void Observe(IReadOnlyDictionary<string, Tensor> batch)
    {
        _runner.Run(batch, (value, tensor) =>
        {
            if (_estimators.TryGetValue(value.Name, out RangeEstimator? estimator)) estimator.Observe(_elements.Of(tensor));
        });
        SampleCount += batch.Values.First() is { Rank: > 0 } first ? first.Shape[0] : 1;
    }

    /// <summary>Observes all batches.</summary>
    /// <param name="batches">A tensor for each graph input, by name.</param>
    /// <param name="progress">Told the number of samples observed after each batch.</param>
    /// <param name="cancellation">Stops between batches.</param>
    /// <exception cref="ArgumentException">There is no batch, or one does not fit the graph's inputs.</exception>
    public async Task RunAsync(IAsyncEnumerable<IReadOnlyDictionary<string, Tensor>> batches, IProgress<long>? progress = null, CancellationToken cancellation = default)
    {
        await foreach (IReadOnlyDictionary<string, Tensor> batch in batches.WithCancellation(cancellation).ConfigureAwait(false))
        {
            cancellation.ThrowIfCancellationRequested();
            Observe(batch);
            progress?.Report(SampleCount);
        }
        if (SampleCount == 0) throw new ArgumentException("there are no calibration samples: give at least one batch", nameof(batches));
    }
}
