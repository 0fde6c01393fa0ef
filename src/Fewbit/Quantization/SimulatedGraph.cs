using Fewbit.Formats;
using Fewbit.Graphs;
using Fewbit.Graphs.Operators;
using Fewbit.Reconstruction;
using Fewbit.Tensors;

namespace Fewbit.Quantization;

/// <summary>A float graph that computes with the numbers which codes stand for: what learned rounding trains, and a reference for the exported model.</summary>
/// <remarks>Biases stay float, and sums are float sums: an exported model differs by the rounding of its biases to 32 bits.</remarks>
internal static class SimulatedGraph
{
    /// <summary>A copy of a prepared graph with FakeQuantize behind activation sites and other weights at weight sites.</summary>
    /// <param name="prepared">The graph that the sites are of; it stays as it is.</param>
    /// <param name="sites">Where quantizers stand.</param>
    /// <param name="activations">Scale and zero point by the site's value name; sites that are missing stay float.</param>
    /// <param name="weights">Numbers to compute with by the site's node name; sites that are missing keep the float weight.</param>
    public static Graph Build(Graph prepared, QuantizerSites sites, IReadOnlyDictionary<string, QuantizationParameters> activations, IReadOnlyDictionary<string, Tensor> weights)
    {
        Graph graph = prepared.Clone();
        foreach (WeightSite site in sites.Weights)
        {
            if (!weights.TryGetValue(site.Node.Name, out Tensor? weight)) continue;
            graph.Nodes.First(node => node.Name == site.Node.Name).SetInput(site.Input, graph.AddConstant(site.Weight.Name + "/rounded", weight));
        }
        foreach (ActivationSite site in sites.Activations)
        {
            if (activations.TryGetValue(site.Value.Name, out QuantizationParameters? parameters)) Insert(graph.Find(site.Value.Name)!, parameters);
        }
        graph.RemoveUnusedValues();
        return graph;
    }

    /// <summary>Name of the constant (a variable) that holds a site's scale.</summary>
    public static string ScaleName(ActivationSite site) => site.Value.Name + "/scale";

    /// <summary>Name of the node that rounds a site's value.</summary>
    public static string NodeName(ActivationSite site) => site.Value.Name + "/quantizer";

    /// <summary>The numbers that a weight's codes stand for.</summary>
    public static Tensor Nearest(WeightSite site, QuantizationParameters parameters) => AffineQuantizer.FakeQuantize(site.Weight.Constant!, parameters);

    private static void Insert(Value value, QuantizationParameters parameters)
    {
        Graph graph = value.Graph;
        Use[] readers = [.. value.Uses];
        Value[] operands = QuantizerNodes.Operands(value, graph, parameters);
        operands[0].IsVariable = true;
        (string opType, Attributes attributes) = QuantizerNodes.Of(parameters.Numbers);
        int index = value.Producer is { } producer ? graph.IndexOf(producer) + 1 : 0;
        Node quantizer = graph.InsertNode(index, OperatorTable.FewbitDomain, opType, [value, .. operands], attributes, name: value.Name + "/quantizer");
        foreach (Use use in readers) use.Node.SetInput(use.Index, quantizer.Outputs[0]);
        if (value.IsOutput) graph.ReplaceOutput(value, quantizer.Outputs[0]);
    }
}
