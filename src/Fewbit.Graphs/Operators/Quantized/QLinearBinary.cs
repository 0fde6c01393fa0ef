using Fewbit.Tensors;
using Fewbit.Tensors.Kernels;

namespace Fewbit.Graphs.Operators.Quantized;

/// <summary>com.microsoft QLinearAdd and QLinearMul (a, sa, za, b, sb, zb, sy, zy): element by element, with NumPy broadcasting.</summary>
/// <param name="IsProduct">Multiplies instead of adding.</param>
internal sealed unsafe record QLinearBinary(bool IsProduct) : IOperator
{
    public void Infer(InferenceContext context)
    {
        context.Node.ExpectInputs(7, 8);
        SymbolicShape? shape = null;
        if (context.InputShape(0) is { } a && context.InputShape(3) is { } b)
        {
            shape = SymbolicShape.Broadcast(a, b);
            context.Node.Expect(shape is not null, $"inputs of shape {a} and {b} do not broadcast");
        }
        context.SetOutput(0, context.InputType(0), shape);
    }

    public void Evaluate(EvaluationContext context)
    {
        (Tensor a, Tensor b, Tensor y) = (context.Input(0), context.Input(3), context.Output(0));
        context.Node.Expect(a.Type == b.Type && a.Type.Is8Bit(), $"takes {a} and {b}, expected both uint8 or both int8");
        CodeScale left = context.CodeScale(1, 2), right = context.CodeScale(4, 5), result = context.CodeScale(6, 7);
        var spans = BroadcastSpans.Of(y.Shape, a.Shape, b.Shape);
        bool isSigned = a.Type == ElementType.Int8;
        var walk = new BroadcastWalk(spans.Outer, spans.OuterA, spans.OuterB);
        for (long span = 0; span < spans.Outer.ElementCount; span++)
        {
            byte* x = a.Address + walk.A * spans.StepA, z = b.Address + walk.B * spans.StepB, to = y.Address + span * spans.Length;
            // Where the left operand is the repeated one, ONNX Runtime swaps the two: the order decides the last bit.
            if (spans.RepeatsA) Run(z, right, x, left, to, result, spans.Length, isSigned, true);
            else Run(x, left, z, right, to, result, spans.Length, isSigned, spans.RepeatsB);
            walk.Next();
        }
    }

    private void Run(byte* a, CodeScale scaleA, byte* b, CodeScale scaleB, byte* y, CodeScale scaleY, long count, bool isSigned, bool isScalarB)
    {
        if (IsProduct) QLinear.Multiply(a, scaleA, b, scaleB, y, scaleY, count, isSigned, isScalarB);
        else QLinear.Add(a, scaleA, b, scaleB, y, scaleY, count, isSigned, isScalarB);
    }
}
