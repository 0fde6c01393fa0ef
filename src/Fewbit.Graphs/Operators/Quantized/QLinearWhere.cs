using Fewbit.Tensors;
using Fewbit.Tensors.Kernels;

namespace Fewbit.Graphs.Operators.Quantized;

/// <summary>com.microsoft QLinearWhere(condition, x, sx, zx, y, sy, zy, sr, zr): both sides brought to the result's quantization, then one of them taken.</summary>
internal sealed record QLinearWhere : IOperator
{
    public void Infer(InferenceContext context)
    {
        context.Node.ExpectInputs(9, 9);
        context.ExpectType(0, type => type == ElementType.Bool, "a bool condition");
        SymbolicShape? shape = null;
        if (context.InputShape(0) is { } condition && context.InputShape(1) is { } x && context.InputShape(4) is { } y)
        {
            shape = SymbolicShape.Broadcast(condition, x) is { } first ? SymbolicShape.Broadcast(first, y) : null;
            context.Node.Expect(shape is not null, $"inputs of shape {condition}, {x} and {y} do not broadcast");
        }
        context.SetOutput(0, context.InputType(1), shape);
    }

    public void Evaluate(EvaluationContext context)
    {
        (Tensor condition, Tensor x, Tensor y, Tensor result) = (context.Input(0), context.Input(1), context.Input(4), context.Output(0));
        context.Node.Expect(x.Type == y.Type && x.Type.Is8Bit(), $"takes {x} and {y}, expected one 8-bit type");
        CodeScale target = context.CodeScale(7, 8);
        byte[]? tableX = LookupTable.Between(x.Type, context.CodeScale(2, 3), target), tableY = LookupTable.Between(y.Type, context.CodeScale(5, 6), target);
        ReadOnlySpan<byte> choices = condition.Bytes, left = x.Bytes, right = y.Bytes;
        Span<byte> codes = result.Bytes;
        var walk = new BroadcastWalk(result.Shape, x.Shape, y.Shape);
        var choice = new BroadcastWalk(result.Shape, condition.Shape, condition.Shape);
        for (int i = 0; i < codes.Length; i++)
        {
            byte code = choices[(int)choice.A] != 0 ? left[(int)walk.A] : right[(int)walk.B];
            codes[i] = (choices[(int)choice.A] != 0 ? tableX : tableY) is { } table ? table[code] : code;
            walk.Next();
            choice.Next();
        }
    }
}
