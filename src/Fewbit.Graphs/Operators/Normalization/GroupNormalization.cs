using Fewbit.Tensors;

namespace Fewbit.Graphs.Operators;

/// <summary>ONNX GroupNormalization, opset 18 and 21, and InstanceNormalization: normalizes groups of channels of [N, C, ...], then scales and shifts.</summary>
/// <param name="Groups">Groups of channels; 0: each channel is one (InstanceNormalization).</param>
/// <param name="Epsilon">Added to the variance.</param>
/// <param name="ScalesGroups">Opset 18 to 20: scale and bias have one element a group, not one a channel.</param>
internal sealed record GroupNormalization(int Groups, float Epsilon, bool ScalesGroups) : ICompiledOperator, IInPlaceOperator, IDifferentiable
{
    public static GroupNormalization Parse(Node node)
    {
        long groups = node.Int("num_groups");
        node.Expect(groups is >= 1 and <= int.MaxValue, $"num_groups is {groups}, expected 1 or more");
        return new((int)groups, node.Float("epsilon", 1e-5f), node.OpsetVersion < 21);
    }

    public static GroupNormalization ParseInstance(Node node) => new(0, node.Float("epsilon", 1e-5f), false);

    public void Infer(InferenceContext context)
    {
        Node node = context.Node;
        node.ExpectInputs(3, 3);
        ElementType type = node.ExpectOneFloatType(context);
        SymbolicShape? x = context.InputShape(0);
        if (x is not null)
        {
            node.Expect(x.Rank >= 3, $"input has shape {x}, expected [N, C, ...]");
            node.Expect(Groups == 0 || !x[1].IsKnown || x[1].Length % Groups == 0, $"input has {x[1]} channels, which {Groups} groups do not divide");
            node.ExpectVector(context, 1, ScalesGroups ? Groups : x[1], "scale");
            node.ExpectVector(context, 2, ScalesGroups ? Groups : x[1], "bias");
        }
        context.SetOutput(0, type, x);
    }

    public void Evaluate(EvaluationContext context) => this.PrepareAndRun(context);

    public IKernel? Compile(CompilationContext context)
    {
        if (Converted.MustConvert(context)) return null;
        Shape x = context.InputShape(0);
        int plane = checked((int)x.CountOf(2, x.Rank)), channels = checked((int)x[1]), groups = Groups == 0 ? channels : Groups, perGroup = channels / Math.Max(1, groups);
        var shape = new RowNormalization(checked((int)x[0]) * groups, perGroup * plane, Math.Max(1, ScalesGroups ? perGroup * plane : plane), ScalesGroups ? groups : channels, Epsilon, true);
        return shape.ToKernel(context.Node, context.InputType(0), context.InputShape(1), context.InputShape(2));
    }

    /// <summary>A group is read in full before it is written.</summary>
    public bool CanOverwrite(int index) => index == 0;

    public void Gradient(GradientContext context)
    {
        if (context.OutputGradient() is not { } gradient) return;
        Value x = context.Input(0);
        if (x.Shape is not { } shape || !shape[1].IsKnown) throw context.Node.Fail($"has an input {x}: its gradient rule needs the rank and the number of channels");
        long channels = shape[1].Length, groups = Groups == 0 ? channels : Groups;
        Value scale = Broadcast(context.Input(1), channels, groups, shape.Rank);
        Value groupShape = Constant(x.Graph, 0, groups, -1);
        Value grouped = x.Apply("Reshape", groupShape), rows = RowNormalizationGradient.RowsOf(grouped, 2);
        (Value normalized, Value deviation) = RowNormalizationGradient.Normalize(grouped, rows, Epsilon, true);
        if (context.Needs(0))
        {
            Value inner = RowNormalizationGradient.OfInput((gradient * scale).Apply("Reshape", groupShape), normalized, deviation, rows, true);
            context.SetInputGradient(0, inner.Apply("Reshape", x.Apply("Shape")));
        }
        if (context.Needs(1)) context.SetInputGradient(1, PerParameter(gradient * normalized.Apply("Reshape", x.Apply("Shape")), scale, groups, channels));
        if (context.Needs(2)) context.SetInputGradient(2, PerParameter(gradient, scale, groups, channels));
    }

    /// <summary>The scale as [C, 1, ...]; a scale by group is repeated for each of its channels.</summary>
    private Value Broadcast(Value scale, long channels, long groups, int rank)
    {
        if (!ScalesGroups) return scale.AsChannels(rank);
        Value repeated = scale.Apply("Reshape", Constant(scale.Graph, -1, 1)).Apply("Expand", Constant(scale.Graph, groups, channels / groups));
        return repeated.Apply("Reshape", Constant(scale.Graph, -1)).AsChannels(rank);
    }

    private Value PerParameter(Value gradient, Value scale, long groups, long channels)
    {
        Value sums = gradient.SumToShapeOf(scale).Apply("Reshape", Constant(scale.Graph, -1));
        if (!ScalesGroups) return sums;
        Value grouped = sums.Apply("Reshape", Constant(scale.Graph, groups, channels / groups));
        return grouped.SumToShapeOf(RowNormalizationGradient.RowsOf(grouped, 1)).Apply("Reshape", Constant(scale.Graph, -1));
    }

    private static Value Constant(Graph graph, params ReadOnlySpan<long> lengths) => graph.AddConstant("shape", Tensor.From(lengths));
}
