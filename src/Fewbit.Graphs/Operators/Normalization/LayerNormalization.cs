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
        if (context.OutputGradient() is not { } gradient) return;
        (Value x, Value scale) = (context.Input(0), context.Input(1));
        int rank = x.Shape?.Rank ?? throw context.Node.Fail("has an input of unknown rank, which its gradient rule needs");
        Value rows = RowNormalizationGradient.RowsOf(x, context.Node.Axis(Axis, rank));
        (Value normalized, Value deviation) = RowNormalizationGradient.Normalize(x, rows, Epsilon, IsCentred);
        if (context.Needs(0)) context.SetInputGradient(0, RowNormalizationGradient.OfInput(gradient * scale, normalized, deviation, rows, IsCentred));
        if (context.Needs(1)) context.SetInputGradient(1, (gradient * normalized).SumToShapeOf(scale));
        if (context.Needs(2)) context.SetInputGradient(2, gradient.SumToShapeOf(context.Input(2)));
    }
}
