using Fewbit.Graphs;
using Fewbit.Graphs.Execution;
using Fewbit.Tensors;

namespace Fewbit.Reconstruction;

/// <summary>Gradients of the network's loss with respect to a unit's output: what Fisher-weighted objectives weigh errors with.</summary>
/// <remarks>
/// Li et al., "BRECQ", 2021, arXiv:2102.05426. The loss is the Kullback-Leibler divergence between the class probabilities of the float network and of the
/// network that is quantized up to and including the unit, averaged over a batch; |gradient| + 1 is kept, as the published code does.
/// </remarks>
internal static class OutputGradients
{
    /// <returns>For each output of the unit, all samples.</returns>
    public static Tensor[] Of(Graph prepared, IReadOnlyList<ReconstructionUnit> units, ReconstructionUnit unit, QuantizedState state, ReconstructionPass pass, FeatureCache cache, UnitPropagation propagation, Tensor logits)
    {
        var outputs = new Dictionary<Value, Tensor>();
        propagation.Run(unit, state, pass.QuantizesActivations, value => cache[value, isTeacher: !cache.Holds(value, isTeacher: false)], [.. unit.Outputs.Select(value => (value, false))], (int)logits.Shape[0],
            (value, type, shape) => outputs[value] = Tensor.AllocateUninitialized(type, shape));
        Tensor ValueOf(Value value) => outputs.TryGetValue(value, out Tensor? tensor) ? tensor : cache[value, isTeacher: !cache.Holds(value, isTeacher: false)];
        ReconstructionUnit rest = Behind(units, unit, prepared.Outputs[0]);
        Tensor[] gradients = [.. unit.Outputs.Select(value => Tensor.Allocate(outputs[value].Type, outputs[value].Shape))];
        if (rest.Nodes.Count == 0)
        {
            foreach (Tensor gradient in gradients) gradient.Span<float>().Fill(1);
            return gradients;
        }
        int samples = (int)logits.Shape[0], batch = Math.Min(pass.BatchSize, samples);
        for (int start = 0; start < samples; start += batch)
        {
            int count = Math.Min(batch, samples - start);
            Run(prepared, rest, unit.Outputs, value => ValueOf(value).Rows(start, count), logits.Rows(start, count), [.. gradients.Select(gradient => gradient.Rows(start, count))]);
        }
        return gradients;
    }

    /// <summary>Everything behind a unit, as one unit.</summary>
    private static ReconstructionUnit Behind(IReadOnlyList<ReconstructionUnit> units, ReconstructionUnit unit, Value output)
    {
        Node[] nodes = [.. units.SkipWhile(other => other != unit).Skip(1).SelectMany(other => other.Nodes)];
        var inside = nodes.ToHashSet();
        return new("rest", nodes, [.. nodes.SelectMany(ActivationFlow.Reads).Distinct().Where(value => value.Producer is null || !inside.Contains(value.Producer))], [output], []);
    }

    private static void Run(Graph prepared, ReconstructionUnit rest, IReadOnlyList<Value> outputs, Func<Value, Tensor> valueOf, Tensor logits, Tensor[] gradients)
    {
        var cut = new UnitGraph(prepared, rest, value => SymbolicShape.From(valueOf(value).Shape));
        Value result = cut.Plain(rest.Outputs[0]);
        cut.Complete([result]);
        // The gradient of the divergence with respect to the scores is the difference of the probabilities.
        Value difference = result.Softmax() - cut.Graph.AddConstant("teacher", logits).Softmax();
        Value[] read = [.. outputs.Where(rest.Inputs.Contains)];
        Value[] found = Gradients.Of(result, [.. read.Select(cut.InputOf)], difference * (1f / logits.Shape[0]));
        var inputs = rest.Inputs.ToDictionary(value => cut.InputOf(value).Name, valueOf, StringComparer.Ordinal);
        var names = cut.Graph.Inputs.Select(input => input.Name).ToHashSet(StringComparer.Ordinal);
        Plan plan = Plan.Compile(cut.Graph, new() { Inputs = inputs.Where(pair => names.Contains(pair.Key)).ToDictionary(pair => pair.Key, pair => pair.Value.Shape, StringComparer.Ordinal), Outputs = [.. found.Select(value => value.Name)] });
        plan.Run(inputs);
        foreach ((int index, Value output) in outputs.Index())
        {
            Span<float> target = gradients[index].Span<float>();
            if (Array.IndexOf(read, output) is var place and >= 0) plan.CopyOutput(found[place].Name, gradients[index]);
            for (int i = 0; i < target.Length; i++) target[i] = MathF.Abs(target[i]) + 1;
        }
    }
}
