using Fewbit.Tensors;
using Fewbit.Tensors.Kernels;

namespace Fewbit.Graphs.Operators.Quantized;

/// <summary>com.microsoft QLinearConcat(sy, zy, then x, sx, zx of each part): parts of another quantization pass through a table.</summary>
internal sealed unsafe record QLinearConcat(long Axis) : IOperator
{
    public static QLinearConcat Parse(Node node) => new(node.Int("axis"));

    public void Infer(InferenceContext context)
    {
        Node node = context.Node;
        node.Expect(context.InputCount >= 5 && context.InputCount % 3 == 2, $"has {context.InputCount} inputs, expected y_scale, y_zero_point and three for each part");
        SymbolicShape? shape = context.InputShape(2);
        for (int i = 5; i < context.InputCount && shape is not null; i += 3)
        {
            if (context.InputShape(i) is not { } part)
            {
                shape = null;
                break;
            }
            node.Expect(part.Rank == shape.Rank, $"parts have ranks {shape.Rank} and {part.Rank}, expected one rank");
            int axis = node.Axis(Axis, part.Rank);
            for (int d = 0; d < part.Rank; d++) node.Expect(d == axis || shape[d].MayEqual(part[d]), $"joins parts of shape {shape} and {part} along axis {axis}: dimension {d} differs");
            shape = shape.With(axis, shape[axis] + part[axis]);
        }
        context.SetOutput(0, context.InputType(2), shape);
    }

    public void Evaluate(EvaluationContext context)
    {
        Tensor y = context.Output(0);
        int axis = context.Node.Axis(Axis, y.Rank);
        CodeScale result = context.CodeScale(0, 1);
        long outer = y.Shape.CountOf(0, axis), row = y.Shape.CountOf(axis, y.Rank), offset = 0;
        for (int i = 2; i < context.InputCount; i += 3)
        {
            Tensor x = context.Input(i);
            context.Node.Expect(x.Type == y.Type && x.Type.Is8Bit(), $"joins {x} to {y}, expected one 8-bit type");
            byte[]? table = LookupTable.Between(x.Type, context.CodeScale(i + 1, i + 2), result);
            long run = x.Shape.CountOf(axis, x.Rank);
            for (long o = 0; o < outer; o++) LookupTable.Apply(table, x.Address + o * run, y.Address + o * row + offset, run);
            offset += run;
        }
    }
}
