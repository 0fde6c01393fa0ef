using System.Numerics;
using Fewbit.Tensors;

namespace Fewbit.Graphs.Operators.Reductions;

/// <summary>ONNX Hardmax, opset 13: 1 at the first of the largest elements along an axis, 0 elsewhere.</summary>
internal sealed record Hardmax(long Axis) : IDifferentiable
{
    public static Hardmax Parse(Node node) => new(node.Int("axis", -1));

    public void Infer(InferenceContext context)
    {
        context.Node.ExpectInputs(1, 1);
        if (context.InputShape(0) is { } shape) context.Node.Axis(Axis, shape.Rank);
        context.InferLikeInput();
    }

    public void Evaluate(EvaluationContext context)
    {
        if (!Converted.ThroughFloat32(context, this)) ElementDispatch.Real(context.Node, context.Input(0).Type, new Action(context, Axis));
    }

    /// <summary>None: the output is constant between ties.</summary>
    public void Gradient(GradientContext context)
    {
    }

    private readonly struct Action(EvaluationContext context, long wantedAxis) : IRealAction
    {
        public void Run<T>() where T : unmanaged, IBinaryFloatingPointIeee754<T>
        {
            Tensor input = context.Input(0);
            int axis = context.Node.Axis(wantedAxis, input.Rank), length = (int)input.Shape[axis], inner = (int)input.Shape.CountOf(axis + 1, input.Rank);
            Span<T> x = input.Span<T>(), y = context.Output(0).Span<T>();
            y.Clear();
            for (int i = 0; length > 0 && i < x.Length / length; i++)
            {
                int start = i / inner * length * inner + i % inner, best = 0;
                for (int j = 1; j < length; j++) best = x[start + j * inner] > x[start + best * inner] ? j : best;
                y[start + best * inner] = T.One;
            }
        }
    }
}
