using Fewbit.Graphs;
using Fewbit.Graphs.Passes;
using Fewbit.Tensors;

namespace Fewbit.Quantization;

/// <summary>Lets a model store and compute float16, with Cast where float16 meets float32.</summary>
internal sealed class Float16Writer(Graph original, Float16Options options)
{
    private readonly Graph _graph = original.Clone();
    private readonly Dictionary<Value, Value> _halves = [];
    private readonly HashSet<Node> _half = [];
    private long _vanished;

    /// <exception cref="InvalidDataException">No node can compute in float16.</exception>
    public QuantizationResult Write()
    {
        foreach (Value input in _graph.Inputs.Where(input => input.Constant is not null).ToArray()) _graph.RemoveInput(input);
        new FoldConstants().Run(_graph);
        Graph before = _graph.Clone();
        var rules = new Float16Rules(_graph, options);
        var reports = original.Nodes.Select(node => Describe(node, rules)).ToList();
        foreach (Node node in _graph.Nodes.Where(node => IsFloat(node) && rules.WhyNot(node) is null)) _half.Add(node);
        if (_half.Count == 0) throw new InvalidDataException(_graph.Nodes.FirstOrDefault(IsFloat) is { } first ? $"no node can compute in float16: {first}: {rules.WhyNot(first)}" : "the model computes no float32: there is nothing to make float16");
        Convert();
        _graph.RemoveUnusedValues();
        _graph.Sort();
        string[] warnings = _vanished == 0 ? [] : [$"{_vanished} constants below 3e-8 became 0"];
        return new(_graph, before, new(reports, [], [], Sizes.Of(original, _graph), 0, warnings));
    }

    private static bool IsFloat(Node node) => node.Inputs.Concat(node.Outputs).OfType<Value>().Any(value => value.Type == ElementType.Float32);

    private NodeReport Describe(Node node, Float16Rules rules)
    {
        if (_graph.Nodes.FirstOrDefault(candidate => candidate.Name == node.Name) is not { } kept) return new(node.Name, node.OpType, "", "", NodeOutcome.Merged, "computed ahead");
        if (!IsFloat(kept)) return new(node.Name, node.OpType, "", "", NodeOutcome.NotNumeric, "computes no float32");
        return rules.WhyNot(kept) is { } reason ? new(node.Name, node.OpType, "float16", "float", NodeOutcome.Float, reason) : new(node.Name, node.OpType, "float16", "float16", NodeOutcome.Rounded, "");
    }

    private void Convert()
    {
        foreach (Node node in _graph.Nodes.Where(_half.Contains).ToArray())
        {
            for (int i = 0; i < node.Inputs.Count; i++)
            {
                // Its lengths are all that Shape and Size read.
                if (node.Inputs[i] is { Type: ElementType.Float32 } input && (!node.Is("Shape") && !node.Is("Size"))) node.SetInput(i, Half(input));
            }
            foreach (Value output in node.Outputs.Where(output => output.Type == ElementType.Float32).ToArray()) MakeHalf(node, output);
        }
        if (options.KeepInputsAndOutputs) return;
        foreach (Value input in _graph.Inputs.Where(input => input.Type == ElementType.Float32 && input.Uses.All(use => use.Node.Graph == _graph)).ToArray()) FeedHalf(input);
    }

    /// <summary>The node computes float16 from now on. Readers that stay float32, and the model's outputs, read a Cast of it under the old name.</summary>
    private void MakeHalf(Node node, Value output)
    {
        bool isReturned = output.IsOutput && options.KeepInputsAndOutputs;
        Use[] floats = [.. output.Uses.Where(use => !_half.Contains(use.Node))];
        if (!isReturned && floats.Length == 0)
        {
            output.Type = ElementType.Float16;
            _halves[output] = output;
            return;
        }
        Value half = _graph.AddValue(_graph.UniqueName(output.IsOutput && !options.KeepInputsAndOutputs ? output.Name + "_float16" : output.Name + "_half"));
        (half.Type, half.Shape) = (ElementType.Float16, output.Shape);
        bool returnsHalf = output.IsOutput && !isReturned;
        node.ReplaceOutputAt(node.Outputs.ToList().IndexOf(output), half);
        _graph.InsertNode(_graph.IndexOf(node) + 1, "", "Cast", $"{output.Name}/float32", [half], [output], new() { { "to", (long)ElementType.Float32 } });
        _halves[output] = half;
        if (returnsHalf) _graph.ReplaceOutput(output, half);
    }

    /// <summary>The value in float16: a rounded constant, what a converted node computes, or a Cast.</summary>
    private Value Half(Value value)
    {
        if (_halves.TryGetValue(value, out Value? known)) return known;
        if (value.Constant is { } constant) return _halves[value] = _graph.AddConstant(value.Name + "_half", Rounded(constant));
        int index = value.Producer is { } producer && producer.Graph == _graph ? _graph.IndexOf(producer) + 1 : 0;
        return _halves[value] = _graph.InsertNode(index, "", "Cast", [value], new() { { "to", (long)ElementType.Float16 } }, name: $"{value.Name}/float16").Outputs[0];
    }

    private Tensor Rounded(Tensor constant)
    {
        ReadOnlySpan<float> values = constant.Span<float>();
        Tensor half = Tensor.AllocateUninitialized(ElementType.Float16, constant.Shape);
        Span<Half> target = half.Span<Half>();
        for (int i = 0; i < values.Length; i++)
        {
            target[i] = (Half)values[i];
            if (values[i] != 0 && target[i] == System.Half.Zero) _vanished++;
        }
        return half;
    }

    /// <summary>The input itself becomes float16; readers that stay float32 get a Cast.</summary>
    private void FeedHalf(Value input)
    {
        Node? cast = input.Uses.Select(use => use.Node).FirstOrDefault(node => node.Is("Cast") && node.Outputs[0] == _halves.GetValueOrDefault(input));
        if (cast is not null)
        {
            Value half = cast.Outputs[0];
            foreach (Use use in half.Uses.ToArray()) use.Node.SetInput(use.Index, input);
            _graph.Remove(cast);
        }
        Use[] floats = [.. input.Uses.Where(use => !_half.Contains(use.Node))];
        input.Type = ElementType.Float16;
        if (floats.Length == 0) return;
        Value wide = _graph.InsertNode(0, "", "Cast", [input], new() { { "to", (long)ElementType.Float32 } }, name: $"{input.Name}/float32").Outputs[0];
        foreach (Use use in floats) use.Node.SetInput(use.Index, wide);
    }
}
