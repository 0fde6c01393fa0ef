using System.Numerics;
using Fewbit.Tensors;

namespace Fewbit.Graphs.Operators.Reductions;

/// <summary>ONNX CumSum, opset 14, and CumProd: sums or products of all elements up to each place of an axis.</summary>
/// <param name="IsExclusive">Whether the element at the place itself is left out.</param>
/// <param name="IsReverse">Whether it goes from the last element to the first.</param>
/// <param name="IsProduct">CumProd.</param>
internal sealed record Cumulative(bool IsExclusive, bool IsReverse, bool IsProduct) : IDifferentiable
{
    public static Cumulative Parse(Node node) => new(node.Int("exclusive", 0) != 0, node.Int("reverse", 0) != 0, node.OpType == "CumProd");

    public void Infer(InferenceContext context)
    {
        context.Node.ExpectInputs(2, 2);
        if (context.InputShape(0) is { } shape && context.InputInts(1) is { } axis)
        {
            context.Node.Expect(axis.Length == 1, $"names {axis.Length} axes, expected one");
            context.Node.Axis(axis[0], shape.Rank);
        }
        context.InferLikeInput();
    }

    public void Evaluate(EvaluationContext context)
    {
        if (!Converted.ThroughFloat32(context, this)) ElementDispatch.Number(context.Node, context.Input(0).Type, new Action(context, this));
    }

    public void Gradient(GradientContext context)
    {
        if (!context.Needs(0) || context.OutputGradient() is not { } gradient) return;
        if (IsProduct)
        {
            CompositeGradient.Apply(context, inputs => [Products(context, inputs[0]!)]);
            return;
        }
        context.SetInputGradient(0, gradient.Apply("CumSum", new Attributes { { "exclusive", IsExclusive }, { "reverse", !IsReverse } }, context.Node.Input(1)));
    }

    /// <summary>Each cumulative product as a product of its own, so that zeros need no quotient.</summary>
    private Value Products(GradientContext context, Value x)
    {
        Node node = context.Node;
        int rank = node.KnownRank(x), axis = node.Axis(node.KnownInts(1)[0], rank), length = node.KnownLength(x, axis);
        var isTaken = new bool[length * length];
        for (int i = 0; i < isTaken.Length; i++)
        {
            (int row, int column) = IsReverse ? (i % length, i / length) : (i / length, i % length);
            isTaken[i] = IsExclusive ? column < row : column <= row;
        }
        Value mask = context.Graph.AddConstant("mask", Tensor.From<bool>(isTaken, new Shape([length, length, .. Enumerable.Repeat(1L, rank - 1 - axis)])));
        Value factors = mask.Apply("Where", x.Apply("Unsqueeze", x.Integers("axes", axis)), x.Scalar(1));
        return factors.Apply("ReduceProd", new Attributes { { "keepdims", 0 } }, x.Integers("axes", axis + 1));
    }

    private readonly struct Action(EvaluationContext context, Cumulative settings) : INumberAction
    {
        public void Run<T>() where T : unmanaged, INumber<T>
        {
            Tensor input = context.Input(0);
            int axis = context.Node.Axis(context.Node.ReadInt(context.Input(1)), input.Rank);
            int outer = (int)input.Shape.CountOf(0, axis), length = (int)input.Shape[axis], inner = (int)input.Shape.CountOf(axis + 1, input.Rank);
            Span<T> x = input.Span<T>(), y = context.Output(0).Span<T>();
            for (int i = 0; i < outer * inner; i++)
            {
                int start = i / inner * length * inner + i % inner;
                T total = settings.IsProduct ? T.One : T.Zero;
                for (int j = 0; j < length; j++)
                {
                    int at = start + (settings.IsReverse ? length - 1 - j : j) * inner;
                    T next = settings.IsProduct ? total * x[at] : total + x[at];
                    y[at] = settings.IsExclusive ? total : next;
                    total = next;
                }
            }
        }
    }
}
