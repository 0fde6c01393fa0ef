using System.Numerics;
using Fewbit.Tensors;

namespace Fewbit.Graphs.Operators.Reductions;

/// <summary>ONNX ArgMax and ArgMin, opset 13: the place of the largest or smallest element along an axis; NaN counts as the extremum.</summary>
/// <param name="Axis">Dimension that is searched.</param>
/// <param name="KeepsDims">Whether the dimension stays with length 1.</param>
/// <param name="IsLast">Whether the last of equal elements counts, not the first.</param>
/// <param name="IsMax">ArgMax or ArgMin.</param>
internal sealed record ArgExtremum(long Axis, bool KeepsDims, bool IsLast, bool IsMax) : IOperator
{
    public static ArgExtremum Parse(Node node) => new(node.Int("axis", 0), node.Int("keepdims", 1) != 0, node.Int("select_last_index", 0) != 0, node.OpType == "ArgMax");

    public void Infer(InferenceContext context)
    {
        context.Node.ExpectInputs(1, 1);
        SymbolicShape? shape = null;
        if (context.InputShape(0) is { } input)
        {
            int axis = context.Node.Axis(Axis, input.Rank);
            context.Node.Expect(input[axis] != 0, $"searches an empty dimension {axis} of {input}");
            shape = KeepsDims ? input.With(axis, 1) : new([.. input.Where((_, i) => i != axis)]);
        }
        context.SetOutput(0, ElementType.Int64, shape);
    }

    public void Evaluate(EvaluationContext context)
    {
        if (!Converted.ThroughFloat32(context, this)) ElementDispatch.Number(context.Node, context.Input(0).Type, new Action(context, this));
    }

    private readonly struct Action(EvaluationContext context, ArgExtremum settings) : INumberAction
    {
        public void Run<T>() where T : unmanaged, INumber<T>
        {
            Tensor input = context.Input(0);
            int axis = context.Node.Axis(settings.Axis, input.Rank);
            int outer = (int)input.Shape.CountOf(0, axis), length = (int)input.Shape[axis], inner = (int)input.Shape.CountOf(axis + 1, input.Rank);
            Span<T> x = input.Span<T>();
            Span<long> y = context.Output(0).Span<long>();
            for (int i = 0; i < outer * inner; i++) y[i] = Find(x[(i / inner * length * inner + i % inner)..], length, inner);
        }

        private int Find<T>(ReadOnlySpan<T> x, int length, int step) where T : INumber<T>
        {
            int best = 0;
            for (int i = 1; i < length; i++)
            {
                T candidate = x[i * step], found = x[best * step];
                bool isBetter = settings.IsMax ? candidate > found : candidate < found;
                bool isEqual = settings.IsLast && (candidate == found || (T.IsNaN(candidate) && T.IsNaN(found)));
                if (isBetter || isEqual || (T.IsNaN(candidate) && !T.IsNaN(found))) best = i;
            }
            return best;
        }
    }
}
