using Fewbit.Formats;
using Fewbit.Graphs;
using Fewbit.Quantization;
using Fewbit.Tensors;

namespace Fewbit.Reconstruction;

/// <summary>Fits the ranges of activations to the first samples, site by site in the order of the graph.</summary>
internal sealed class RangeFitting(Graph prepared, IReadOnlyList<ReconstructionUnit> units, QuantizedState state, UnitPropagation propagation,
    Func<ActivationSite, Tensor, QuantizationParameters> fit, ReconstructionOptions options)
{
    private readonly Dictionary<Value, Tensor> _values = [];
    private CancellationToken _cancellation;

    /// <param name="all">For each input of the model, all samples.</param>
    /// <param name="cancellation">Stops between two sites: searches over many zero points take long.</param>
    public void Run(IReadOnlyDictionary<string, Tensor> all, CancellationToken cancellation)
    {
        _cancellation = cancellation;
        int samples = options.RangeSamples;
        foreach (Value input in prepared.Inputs.Where(input => input.Constant is null))
        {
            Tensor tensor = all[input.Name];
            samples = (int)Math.Min(samples, tensor.Shape[0]);
            _values[input] = tensor.Rows(0, samples);
        }
        bool isQuantized = options.RangeSource == RangeSource.QuantizedNetwork;
        foreach (ActivationSite site in state.Sites.Activations.Where(site => site.Value.Producer is null)) FitInput(site, isQuantized);
        for (int u = 0; u < units.Count; u++)
        {
            ReconstructionUnit unit = units[u];
            // Behind a quantizer that is fitted only now, later values change: they are computed again.
            if (isQuantized) foreach (ActivationSite site in state.ActivationsOf(unit)) Fit(site, Compute(unit, [(site.Value, true)], samples, isQuantized)[0]);
            else FitAll(unit, samples);
            Tensor[] outputs = Compute(unit, [.. unit.Outputs.Select(value => (value, false))], samples, isQuantized);
            foreach ((Value value, Tensor tensor) in unit.Outputs.Zip(outputs)) _values[value] = tensor;
            HashSet<Value> needed = [.. units.Skip(u + 1).SelectMany(later => later.Inputs)];
            foreach (Value value in _values.Keys.Where(value => !needed.Contains(value)).ToArray()) _values.Remove(value);
        }
    }

    private void FitInput(ActivationSite site, bool isQuantized)
    {
        Fit(site, _values[site.Value]);
        if (isQuantized) _values[site.Value] = AffineQuantizer.FakeQuantize(_values[site.Value], state.Activations[site.Value.Name]);
    }

    private void FitAll(ReconstructionUnit unit, int samples)
    {
        ActivationSite[] sites = [.. state.ActivationsOf(unit)];
        if (sites.Length == 0) return;
        foreach ((ActivationSite site, Tensor values) in sites.Zip(Compute(unit, [.. sites.Select(site => (site.Value, true))], samples, false))) Fit(site, values);
    }

    private void Fit(ActivationSite site, Tensor values)
    {
        _cancellation.ThrowIfCancellationRequested();
        if (!state.Activations.ContainsKey(site.Value.Name)) state.SetActivation(site, fit(site, values));
    }

    private Tensor[] Compute(ReconstructionUnit unit, (Value, bool)[] wanted, int samples, bool isQuantized)
    {
        var results = new List<Tensor>();
        propagation.Run(unit, isQuantized ? state : null, isQuantized, value => _values[value], wanted, samples, (_, type, shape) =>
        {
            results.Add(Tensor.AllocateUninitialized(type, shape));
            return results[^1];
        });
        return [.. results];
    }
}
