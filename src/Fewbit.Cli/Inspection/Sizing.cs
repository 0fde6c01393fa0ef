using Fewbit.Graphs;
using Fewbit.Tensors;

namespace Fewbit.Cli.Inspection;

/// <summary>Gives a model of open input sizes definite ones, so that its costs can be counted.</summary>
internal static class Sizing
{
    /// <summary>Height and width that are assumed where a picture model leaves them open.</summary>
    private const long AssumedSide = 224;

    /// <summary>A copy whose inputs have the given shape, or a batch of 1 and, for pictures, 224 x 224.</summary>
    /// <param name="graph">The model.</param>
    /// <param name="inputShape">The shape of the only input; null to assume one.</param>
    /// <exception cref="ArgumentException">The shape does not fit the input.</exception>
    public static Graph OneSample(Graph graph, Shape? inputShape)
    {
        Graph copy = graph.Clone();
        Value[] inputs = [.. ModelSummary.FedInputs(copy)];
        if (inputShape is { } shape) Set(inputs, shape);
        else
        {
            foreach (Value input in inputs) input.Shape = input.Shape is { } open ? Assume(open) : null;
        }
        // Values keep what was inferred for open sizes unless it is forgotten.
        foreach (Node node in copy.Nodes)
        {
            foreach (Value output in node.Outputs) output.Shape = null;
        }
        Inference.Infer(copy);
        return copy;
    }

    private static void Set(Value[] inputs, Shape shape)
    {
        if (inputs is not [var only]) throw new ArgumentException($"--shape is for models of one input, this one has {inputs.Length}");
        if (only.Shape is { } known && !known.Matches(shape)) throw new ArgumentException($"--shape {shape} does not fit input {only}");
        only.Shape = SymbolicShape.From(shape);
    }

    private static SymbolicShape Assume(SymbolicShape open)
    {
        SymbolicShape shape = open;
        for (int axis = 0; axis < open.Rank; axis++)
        {
            if (open[axis].IsKnown) continue;
            if (axis == 0) shape = shape.With(0, 1);
            else if (open.Rank == 4) shape = shape.With(axis, AssumedSide);
        }
        return shape;
    }
}
