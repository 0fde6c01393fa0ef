using Fewbit.Tensors;
using Fewbit.Tensors.Kernels;

namespace Fewbit.Graphs.Operators.Quantized;

/// <summary>com.microsoft QLinearGlobalAveragePool(x, sx, zx, sy, zy): code = requantize(sum - count * zx) with the factor sx / (sy * count).</summary>
internal sealed unsafe record QLinearGlobalAveragePool(bool IsChannelsLast) : IOperator
{
    public static QLinearGlobalAveragePool Parse(Node node) => new(node.Int("channels_last", 0) != 0);

    public void Infer(InferenceContext context)
    {
        context.Node.ExpectInputs(4, 5);
        SymbolicShape? shape = context.InputShape(0);
        for (int axis = 2; shape is not null && axis < shape.Rank; axis++) shape = shape.With(IsChannelsLast ? axis - 1 : axis, 1);
        context.SetOutput(0, context.InputType(0), shape);
    }

    public void Evaluate(EvaluationContext context)
    {
        if (IsChannelsLast) ChannelsLast.Run(context, (x, y) => Run(context, x, y));
        else Run(context, context.Input(0), context.Output(0));
    }

    private static void Run(EvaluationContext context, Tensor x, Tensor y)
    {
        context.Node.Expect(x.Type.Is8Bit(), $"takes {x}, expected uint8 or int8");
        int count = checked((int)x.Shape.CountOf(2, x.Rank));
        QLinear.GlobalAveragePool(x.Address, context.CodeScale(1, 2), y.Address, context.CodeScale(3, 4), (int)y.ElementCount, count, x.Type == ElementType.Int8);
    }
}
