using System.Numerics;
using Fewbit.Tensors;

namespace Fewbit.Graphs.Operators.Elementwise;

/// <summary>ONNX IsNaN: whether each element is no number.</summary>
internal sealed record IsNotANumber : IOperator
{
    public void Infer(InferenceContext context)
    {
        context.Node.ExpectInputs(1, 1);
        context.ExpectType(0, ElementTypes.IsFloat, "a float type");
        context.SetOutput(0, ElementType.Bool, context.InputShape(0));
    }

    public void Evaluate(EvaluationContext context)
    {
        if (!Converted.NarrowThroughFloat32(context, this)) ElementDispatch.Real(context.Node, context.Input(0).Type, new Action(context));
    }

    private readonly struct Action(EvaluationContext context) : IRealAction
    {
        public void Run<T>() where T : unmanaged, IBinaryFloatingPointIeee754<T>
        {
            Span<T> x = context.Input(0).Span<T>();
            Span<bool> y = context.Output(0).Span<bool>();
            for (int i = 0; i < y.Length; i++) y[i] = T.IsNaN(x[i]);
        }
    }
}

/// <summary>ONNX IsInf, opset 20: whether each element is infinite, of the signs that count.</summary>
internal sealed record IsInfinite(bool DetectsNegative, bool DetectsPositive) : IOperator
{
    public static IsInfinite Parse(Node node) => new(node.Int("detect_negative", 1) != 0, node.Int("detect_positive", 1) != 0);

    public void Infer(InferenceContext context)
    {
        context.Node.ExpectInputs(1, 1);
        context.ExpectType(0, ElementTypes.IsFloat, "a float type");
        context.SetOutput(0, ElementType.Bool, context.InputShape(0));
    }

    public void Evaluate(EvaluationContext context)
    {
        if (!Converted.NarrowThroughFloat32(context, this)) ElementDispatch.Real(context.Node, context.Input(0).Type, new Action(context, this));
    }

    private readonly struct Action(EvaluationContext context, IsInfinite settings) : IRealAction
    {
        public void Run<T>() where T : unmanaged, IBinaryFloatingPointIeee754<T>
        {
            Span<T> x = context.Input(0).Span<T>();
            Span<bool> y = context.Output(0).Span<bool>();
            for (int i = 0; i < y.Length; i++) y[i] = (settings.DetectsPositive && T.IsPositiveInfinity(x[i])) || (settings.DetectsNegative && T.IsNegativeInfinity(x[i]));
        }
    }
}
