using Fewbit.Formats;
using Fewbit.Graphs;
using Fewbit.Graphs.Execution;
using Fewbit.Graphs.Passes;
using Fewbit.Quantization;
using Fewbit.Tensors;

namespace Fewbit.Reconstruction;

/// <summary>Runs a unit as it stands over all samples.</summary>
/// <param name="prepared">The float graph.</param>
internal sealed class UnitPropagation(Graph prepared)
{
    private const int UsualBatch = 64;

    /// <summary>A model of a fixed batch may state it in constants of its own.</summary>
    private readonly int _batch = prepared.Inputs.FirstOrDefault(input => input.Constant is null)?.Shape is { Rank: > 0 } shape && shape[0].IsKnown ? (int)Math.Clamp(shape[0].Length, 1, 1024) : UsualBatch;

    /// <summary>Computes values of a unit for a number of samples.</summary>
    /// <param name="unit">The unit.</param>
    /// <param name="state">Codes and quantizers; null for the float unit.</param>
    /// <param name="quantizesActivations">Whether the unit's activations are quantized.</param>
    /// <param name="inputOf">All samples of each value that enters the unit.</param>
    /// <param name="wanted">Values to return, each before its quantizer or behind it.</param>
    /// <param name="samples">Samples to compute.</param>
    /// <param name="allocate">Room for each result, given its shape with all samples.</param>
    public void Run(ReconstructionUnit unit, QuantizedState? state, bool quantizesActivations, Func<Value, Tensor> inputOf,
        IReadOnlyList<(Value Value, bool IsPlain)> wanted, int samples, Func<Value, ElementType, Shape, Tensor> allocate)
    {
        (Graph graph, Value[] inputs, string[] outputs) = Freeze(unit, state, quantizesActivations, wanted, inputOf);
        using var runner = new GraphRunner(graph);
        var results = new Tensor?[wanted.Count];
        for (int start = 0; start < samples; start += _batch)
        {
            int count = Math.Min(_batch, samples - start);
            var batch = inputs.Index().ToDictionary(pair => pair.Item.Name, pair => inputOf(unit.Inputs[pair.Index]).Rows(start, count), StringComparer.Ordinal);
            IReadOnlyDictionary<string, Tensor> computed = runner.Run(batch, outputs);
            for (int i = 0; i < results.Length; i++)
            {
                Tensor part = computed[outputs[i]];
                ExpectSamples(wanted[i].Value, part, count);
                results[i] ??= allocate(wanted[i].Value, part.Type, part.Shape.With(0, samples));
                part.CopyTo(results[i]!.Rows(start, count));
            }
        }
    }

    /// <summary>The shape of a value with the number of samples left open.</summary>
    public static SymbolicShape Open(Tensor tensor) => new([Dim.Unknown, .. tensor.Shape.Dims[1..].ToArray().Select(length => (Dim)length)]);

    private (Graph, Value[], string[]) Freeze(ReconstructionUnit unit, QuantizedState? state, bool quantizesActivations, IReadOnlyList<(Value Value, bool IsPlain)> wanted, Func<Value, Tensor> inputOf)
    {
        var cut = new UnitGraph(prepared, unit, value => Open(inputOf(value)));
        foreach (WeightSite site in state?.WeightsOf(unit) ?? []) cut.SetWeight(site.Node, site.Input, cut.Graph.AddConstant(site.Weight.Name + "/rounded", state!.WeightOf(site)));
        foreach (ActivationSite site in quantizesActivations && state is not null ? state.ActivationsOf(unit) : [])
        {
            if (state!.Activations.TryGetValue(site.Value.Name, out QuantizationParameters? parameters)) cut.Quantize(site.Value, value => QuantizerNodes.Append(value, parameters));
        }
        Value[] outputs = [.. wanted.Select(item => item.IsPlain ? cut.Plain(item.Value) : cut.Read(item.Value))];
        cut.Complete(outputs.Distinct());
        string[] names = [.. outputs.Select(output => output.Name)];
        Value[] inputs = [.. unit.Inputs.Select(cut.InputOf)];
        Passes.PrepareForExecution(cut.Graph);
        return (cut.Graph, inputs, names);
    }

    private static void ExpectSamples(Value value, Tensor tensor, int count)
    {
        if (tensor.Rank == 0 || tensor.Shape[0] != count)
            throw new InvalidDataException($"{value}: holds {tensor} for {count} samples, expected the samples along dimension 0: networks that put them elsewhere cannot be reconstructed");
    }
}
