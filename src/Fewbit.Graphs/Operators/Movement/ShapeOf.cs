using Fewbit.Tensors;

namespace Fewbit.Graphs.Operators.Movement;

/// <summary>ONNX Shape, opset 15: the lengths of dimensions [start, end) as int64.</summary>
/// <param name="Start">First dimension; negative counts from the back.</param>
/// <param name="End">Dimension after the last; negative counts from the back.</param>
internal sealed record ShapeOf(long Start, long End) : IOperator
{
    public static ShapeOf Parse(Node node) => new(node.Int("start", 0), node.Int("end", long.MaxValue));

    public void Infer(InferenceContext context)
    {
        context.Node.ExpectInputs(1, 1);
        if (context.InputShape(0) is not { } shape)
        {
            context.SetOutput(0, ElementType.Int64, SymbolicShape.OfRank(1));
            return;
        }
        Dim[] dims = Slice(shape);
        context.SetOutput(0, ElementType.Int64, [dims.Length]);
        context.SetOutputDims(0, dims);
    }

    public void Evaluate(EvaluationContext context)
    {
        Dim[] dims = Slice(SymbolicShape.From(context.Input(0).Shape));
        for (int i = 0; i < dims.Length; i++) context.Output(0).Span<long>()[i] = dims[i].Length;
    }

    private Dim[] Slice(SymbolicShape shape)
    {
        int start = Clamp(Start, shape.Rank), end = Clamp(End, shape.Rank);
        return shape.Dims[start..Math.Max(start, end)].ToArray();
    }

    private static int Clamp(long position, int rank) => (int)Math.Clamp(position < 0 ? position + rank : position, 0, rank);
}

/// <summary>ONNX Size: the number of elements as int64.</summary>
internal sealed record SizeOf : IOperator
{
    public void Infer(InferenceContext context)
    {
        context.Node.ExpectInputs(1, 1);
        context.SetOutput(0, ElementType.Int64, []);
        if (context.InputShape(0) is not { } shape) return;
        Dim count = 1;
        foreach (Dim dim in shape) count *= dim;
        context.SetOutputDims(0, [count]);
    }

    public void Evaluate(EvaluationContext context) => context.Output(0).Span<long>()[0] = context.Input(0).ElementCount;
}
