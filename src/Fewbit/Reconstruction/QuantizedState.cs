using Fewbit.Formats;
using Fewbit.Graphs;
using Fewbit.Quantization;
using Fewbit.Tensors;

namespace Fewbit.Reconstruction;

/// <summary>What is decided so far: codes of each weight, scale and zero point of each activation.</summary>
internal sealed class QuantizedState
{
    private readonly Dictionary<string, Tensor> _codes = new(StringComparer.Ordinal);
    private readonly Dictionary<string, QuantizationParameters> _activations = new(StringComparer.Ordinal);

    /// <param name="sites">Where quantizers stand.</param>
    /// <param name="grids">Scales and zero points of each weight, by the name of the node that reads it.</param>
    public QuantizedState(QuantizerSites sites, IReadOnlyDictionary<string, QuantizationParameters> grids)
    {
        (Sites, Grids) = (sites, grids);
        foreach (WeightSite site in sites.Weights) _codes[site.Node.Name] = Integers(AffineQuantizer.Quantize(site.Weight.Constant!, GridOf(site)));
    }

    public QuantizerSites Sites { get; }

    public IReadOnlyDictionary<string, QuantizationParameters> Grids { get; }

    /// <summary>Codes of each weight, int32, by the name of the node that reads it. They start as the nearest.</summary>
    public IReadOnlyDictionary<string, Tensor> Codes => _codes;

    /// <summary>Scale and zero point by the name of the quantized value; sites whose range is not known yet are missing.</summary>
    public IReadOnlyDictionary<string, QuantizationParameters> Activations => _activations;

    public QuantizationParameters GridOf(WeightSite site) => Grids.GetValueOrDefault(site.Node.Name)
        ?? throw new ArgumentException($"no scales are given for the weight of {site.Node}");

    /// <summary>The weight that the codes stand for.</summary>
    public Tensor WeightOf(WeightSite site) => AffineQuantizer.Dequantize(_codes[site.Node.Name], GridOf(site));

    public void SetCodes(WeightSite site, Tensor codes) => _codes[site.Node.Name] = codes;

    public void SetActivation(ActivationSite site, QuantizationParameters parameters) => _activations[site.Value.Name] = parameters;

    /// <summary>The weights of a unit's layers.</summary>
    public IEnumerable<WeightSite> WeightsOf(ReconstructionUnit unit) => Sites.Weights.Where(site => unit.Layers.Contains(site.Node));

    /// <summary>The quantized values that a unit computes, in the order of the graph.</summary>
    public IEnumerable<ActivationSite> ActivationsOf(ReconstructionUnit unit)
    {
        HashSet<Node> nodes = [.. unit.Nodes];
        return Sites.Activations.Where(site => site.Value.Producer is { } producer && nodes.Contains(producer));
    }

    private static Tensor Integers(Tensor codes) => Tensor.From<int>(AffineQuantizer.Unpack(codes), codes.Shape);
}
