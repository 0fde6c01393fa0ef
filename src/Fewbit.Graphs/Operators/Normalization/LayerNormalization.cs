using Fewbit.Tensors;

namespace Fewbit.Graphs.Operators;

/// <summary>ONNX LayerNormalization, opset 17, and RMSNormalization, opset 23: normalizes the dimensions from an axis on, then scales (and shifts).</summary>
/// <param name="Axis">First normalized dimension; negative counts from the back.</param>
/// <param name="Epsilon">Added to the variance.</param>
/// <param name="IsCentred">LayerNormalization takes the mean off, RMSNormalization does not.</param>
internal sealed record LayerNormalization(long Axis, float Epsilon, bool IsCentred) : ICompiledOperator, IInPlaceOperator, IDifferentiable
{
    public static LayerNormalization Parse(Node node, bool isCentred) => new(node.Int("axis", -1), node.Float("epsilon", 1e-5f), isCentred);

    public void Infer(InferenceContext context)
    {
        Node node = context.Node;
        node.ExpectInputs(2, IsCentred ? 3 : 2);
        ElementType type = node.ExpectOneFloatType(context, inputs: 1);
        for (int i = 1; i < context.InputCount; i++)
        {
            ElementType parameter = context.HasInput(i) ? context.InputType(i) : ElementType.Undefined;
            node.Expect(parameter == ElementType.Undefined || parameter == type || Converted.IsHalf(parameter) || (Converted.IsHalf(type) && parameter == ElementType.Float32), $"input {i} is {parameter.Name()}, expected {type.Name()} as input 0");
        }
        SymbolicShape? shape = context.InputShape(0);
        context.SetOutput(0, context.InputType(1) == ElementType.Undefined ? type : context.InputType(1), shape);
        SymbolicShape? rows = null;
        if (shape is not null)
        {
            int axis = node.Axis(Axis, shape.Rank);
            for (int i = 1; i < context.InputCount; i++)
            {
                if (!context.HasInput(i) || context.InputShape(i) is not { } parameter) continue;
                var normalized = new SymbolicShape(shape.Dims[axis..]);
                node.Expect(parameter.Rank <= normalized.Rank && SymbolicShape.Broadcast(normalized, parameter) is { } joint && joint.Zip(normalized).All(pair => pair.First.MayEqual(pair.Second)),
                    $"{(i == 1 ? "scale" : "bias")} has shape {parameter}, which does not broadcast to {normalized} (input is {shape}, axis {axis})");
            }
            var dims = shape.Dims.ToArray();
            dims.AsSpan(axis).Fill(1);
            rows = new(dims);
        }
        for (int i = 1; i < node.Outputs.Count; i++) context.SetOutput(i, type == ElementType.Float64 ? type : ElementType.Float32, rows);
    }

    public void Evaluate(EvaluationContext context) => this.PrepareAndRun(context);

    public IKernel? Compile(CompilationContext context)
    {
        if (Converted.MustConvert(context)) return null;
        Shape x = context.InputShape(0);
        int axis = context.Node.Axis(Axis, x.Rank), length = checked((int)x.CountOf(axis, x.Rank)), rows = checked((int)x.CountOf(0, axis));
        var shape = new RowNormalization(rows, length, 1, Math.Max(1, length), Epsilon, IsCentred);
        return shape.ToKernel(context.Node, context.InputType(0), context.InputShape(1), context.HasInput(2) ? context.InputShape(2) : null);
    }

    /// <summary>A row is read in full before it is written.</summary>
    public bool CanOverwrite(int index) => index == 0;

    public void Gradient(GradientContext context)
    {
        (Value x, Value scale) = (context.Input(0), context.Input(1));
        bool hasStatistics = Enumerable.Range(1, 2).Any(i => context.OutputGradient(i) is not null);
        if (hasStatistics || context.OutputGradient() is not { } gradient || !IsPlain(context.Node, x, scale) || (context.Node.Input(2) is { } bias && !scale.Shape!.Equals(bias.Shape)))
        {
            CompositeGradient.Apply(context, inputs => SpellOut(context.Node, inputs));
            return;
        }
        var attributes = new Attributes { { "axis", Axis }, { "epsilon", Epsilon }, { "centred", IsCentred } };
        Graph graph = context.Graph;
        Node node = graph.InsertNode(graph.Nodes.Count, OperatorTable.FewbitDomain, "LayerNormalizationGradient", [x, scale, gradient], attributes, outputs: 3);
        for (int i = 0; i < 3; i++)
        {
            if (context.Needs(i)) context.SetInputGradient(i, node.Outputs[i]);
        }
    }

    /// <summary>One type, and a scale that covers the normalized dimensions in full.</summary>
    private bool IsPlain(Node node, Value x, Value scale)
    {
        if (x.Shape is not { } shape || scale.Shape is not { } own || x.Type != scale.Type || x.Type is not (ElementType.Float32 or ElementType.Float64)) return false;
        int axis = node.Axis(Axis, shape.Rank);
        return own.Rank == shape.Rank - axis && Enumerable.Range(0, own.Rank).All(i => own[i] == shape[axis + i] && own[i] != Dim.Unknown);
    }

    /// <summary>Outputs in simpler operators: the result, and mean (where it is taken off) and 1 / deviation.</summary>
    internal IReadOnlyList<Value?> SpellOut(Node node, Value?[] inputs)
    {
        Value x = inputs[0]!;
        int rank = x.Shape?.Rank ?? throw node.Fail("has an input of unknown rank, which its gradient rule needs");
        Value rows = RowNormalizationGradient.RowsOf(x, node.Axis(Axis, rank));
        (Value normalized, Value deviation) = RowNormalizationGradient.Normalize(x, rows, Epsilon, IsCentred);
        Value result = normalized * inputs[1]!, inverse = deviation.Apply("Reciprocal");
        if (inputs.Length > 2 && inputs[2] is { } bias) result += bias;
        return IsCentred ? [result, x.MeanToShapeOf(rows), inverse] : [result, inverse];
    }
}
