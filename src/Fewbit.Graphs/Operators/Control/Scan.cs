using Fewbit.Tensors;

namespace Fewbit.Graphs.Operators.Control;

/// <summary>ONNX Scan, opset 9 and later: a body that runs for each position of a dimension of its inputs, on a slice of each, and hands states on.</summary>
/// <param name="Body">Takes the states and one slice of each scanned input; returns the states and one slice of each scanned output.</param>
/// <param name="ScanCount">Number of scanned inputs, the last ones.</param>
/// <param name="InputAxes">Dimension that each scanned input is sliced along.</param>
/// <param name="InputReversed">Whether an input is scanned from its end.</param>
/// <param name="OutputAxes">Dimension of each scanned output that its slices are stacked along.</param>
/// <param name="OutputReversed">Whether an output is filled from its end.</param>
internal sealed record Scan(Graph Body, int ScanCount, long[] InputAxes, bool[] InputReversed, long[] OutputAxes, bool[] OutputReversed) : IDifferentiable
{
    public static Scan Parse(Node node)
    {
        Graph body = node.Subgraph("body");
        long scans = node.Int("num_scan_inputs");
        node.Expect(scans >= 1 && scans <= node.Inputs.Count, $"num_scan_inputs is {scans}, expected 1 to {node.Inputs.Count}, the number of its inputs");
        int states = node.Inputs.Count - (int)scans, results = body.Outputs.Count - states;
        node.Expect(body.Inputs.Count == node.Inputs.Count, $"its body has {body.Inputs.Count} inputs, expected {node.Inputs.Count}: {states} states and {scans} slices");
        node.Expect(results >= 0 && node.Outputs.Count <= body.Outputs.Count, $"its body has {body.Outputs.Count} outputs, expected {node.Outputs.Count}: {states} states and the slices of its outputs");
        return new(body, (int)scans, Axes(node, "scan_input_axes", (int)scans), Reversed(node, "scan_input_directions", (int)scans),
            Axes(node, "scan_output_axes", results), Reversed(node, "scan_output_directions", results));
    }

    private int States => Body.Inputs.Count - ScanCount;

    public void Infer(InferenceContext context)
    {
        ValueFacts[] states = [.. Enumerable.Range(0, States).Select(i => new ValueFacts(context.InputType(i), context.InputShape(i)))];
        var slices = new ValueFacts[ScanCount];
        Dim length = Dim.Unknown;
        for (int i = 0; i < ScanCount; i++)
        {
            SymbolicShape? shape = context.InputShape(States + i);
            if (shape is not null)
            {
                int axis = InputAxis(context.Node, i, shape.Rank);
                context.Node.Expect(length.MayEqual(shape[axis]), $"input {States + i} has length {shape[axis]} along dimension {axis}, expected {length} as the one before");
                length = length.Or(shape[axis]);
                shape = new([.. shape.Dims[..axis], .. shape.Dims[(axis + 1)..]]);
            }
            slices[i] = new(context.InputType(States + i), shape);
        }
        if (context.InferIterated(Body, [], states, slices, firstState: 0) is not { } outputs) return;
        for (int i = 0; i < context.Node.Outputs.Count; i++)
        {
            if (i < States) context.SetOutput(i, states[i].Type, states[i].Shape);
            else context.SetOutput(i, outputs[i].Type, outputs[i].Shape is { } slice ? slice.Insert(context.Node.Axis(OutputAxes[i - States], slice.Rank + 1, "scan_output_axes"), length) : null);
        }
    }

    public void Evaluate(EvaluationContext context)
    {
        Node node = context.Node;
        Tensor[] scanned = [.. Enumerable.Range(States, ScanCount).Select(context.Input)];
        int[] axes = [.. scanned.Select((tensor, i) => InputAxis(node, i, tensor.Rank))];
        long length = scanned[0].Shape[axes[0]];
        for (int i = 1; i < ScanCount; i++)
            node.Expect(scanned[i].Shape[axes[i]] == length, $"input {States + i} is {scanned[i]}, expected length {length} along dimension {axes[i]} as along dimension {axes[0]} of {scanned[0]}");
        // Elements that share bytes are sliced one byte each.
        Tensor[] wide = Array.ConvertAll(scanned, tensor => tensor.Type.IsPacked() ? PackedElements.Unpack(tensor) : tensor);
        Tensor[] states = [.. Enumerable.Range(0, States).Select(context.Input)];
        var collected = new List<Tensor>[Math.Max(0, context.OutputCount - States)];
        for (int i = 0; i < collected.Length; i++) collected[i] = [];
        for (long step = 0; step < length; step++)
        {
            context.CountIteration();
            IEnumerable<Tensor> slices = wide.Select((tensor, i) => Slices.Take(tensor, scanned[i].Type, axes[i], InputReversed[i] ? length - 1 - step : step));
            Tensor[] results = context.RunBody(Body, [.. states, .. slices]);
            states = results[..States];
            for (int i = 0; i < collected.Length; i++) collected[i].Add(results[States + i]);
        }
        for (int i = 0; i < Math.Min(States, context.OutputCount); i++) context.Provide(i, states[i]);
        for (int i = 0; i < collected.Length; i++)
        {
            if (OutputReversed[i]) collected[i].Reverse();
            context.Provide(States + i, Slices.Stack(node, collected[i], Body.Outputs[States + i], OutputAxes[i]));
        }
    }

    public void Gradient(GradientContext context) => ControlGradient.OfUnrolled(context, Body, () => SpellOut(context));

    /// <summary>The positions one after the other, where their number is known.</summary>
    private List<Value> SpellOut(GradientContext context)
    {
        Node node = context.Node;
        Value[] scanned = [.. Enumerable.Range(States, ScanCount).Select(context.Input)], states = [.. Enumerable.Range(0, States).Select(context.Input)];
        int[] axes = [.. scanned.Select((value, i) => InputAxis(node, i, node.KnownRank(value)))];
        int length = node.KnownLength(scanned[0], axes[0]);
        var slices = new List<Value>[Body.Outputs.Count - States];
        for (int i = 0; i < slices.Length; i++) slices[i] = [];
        for (int step = 0; step < length; step++)
        {
            var given = new Dictionary<Value, Value>();
            for (int i = 0; i < States; i++) given[Body.Inputs[i]] = states[i];
            for (int i = 0; i < ScanCount; i++) given[Body.Inputs[States + i]] = Slices.Take(scanned[i], axes[i], InputReversed[i] ? length - 1 - step : step);
            Value[] results = BodyInlining.Inline(Body, context.Graph, given);
            states = results[..States];
            for (int i = 0; i < slices.Length; i++) slices[i].Insert(OutputReversed[i] ? 0 : step, results[States + i]);
        }
        return [.. states, .. slices.Where(list => list.Count > 0).Select((list, i) => Slices.Stack(list, OutputAxes[i]))];
    }

    private int InputAxis(Node node, int scan, int rank)
    {
        node.Expect(rank > 0, $"input {States + scan} is a scalar, expected a dimension to scan along");
        return node.Axis(InputAxes[scan], rank, "scan_input_axes");
    }

    private static long[] Axes(Node node, string name, int count)
    {
        long[] axes = node.Ints(name) ?? new long[count];
        node.Expect(axes.Length == count, $"{name} has {axes.Length} values, expected {count}");
        return axes;
    }

    private static bool[] Reversed(Node node, string name, int count)
    {
        long[] directions = Axes(node, name, count);
        node.Expect(Array.TrueForAll(directions, direction => direction is 0 or 1), $"{name} is [{string.Join(", ", directions)}], expected 0 (forward) or 1 (backward) each");
        return Array.ConvertAll(directions, direction => direction == 1);
    }
}
