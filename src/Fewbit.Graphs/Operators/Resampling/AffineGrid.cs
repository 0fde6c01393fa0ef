using System.Numerics;
using Fewbit.Tensors;

namespace Fewbit.Graphs.Operators;

/// <summary>ONNX AffineGrid, opset 20: the positions [N, spatial, rank] that GridSample reads for an image of a size, moved by theta [N, rank, rank + 1].</summary>
/// <param name="AlignsCorners">Whether -1 and 1 are the centres of the corner elements; otherwise their outer edges.</param>
internal sealed record AffineGrid(bool AlignsCorners) : IDifferentiable
{
    private const int Size = 1;

    public static AffineGrid Parse(Node node) => new(node.Int("align_corners", 0) != 0);

    public void Infer(InferenceContext context)
    {
        Node node = context.Node;
        node.ExpectInputs(2, 2);
        context.ExpectType(0, ElementTypes.IsFloat, "a float type");
        SymbolicShape? theta = context.InputShape(0), shape = null;
        node.Expect(theta is null || (theta.Rank == 3 && ((theta[1].MayEqual(2) && theta[2].MayEqual(3)) || (theta[1].MayEqual(3) && theta[2].MayEqual(4)))), $"theta has shape {theta}, expected [N, 2, 3] or [N, 3, 4]");
        if (context.InputDims(Size) is { } size)
        {
            node.Expect(size.Length is 4 or 5, $"size has {size.Length} lengths, expected [N, C, H, W] or [N, C, D, H, W]");
            node.Expect(theta is null || (theta[0].MayEqual(size[0]) && theta[1].MayEqual(size.Length - 2)), $"theta has shape {theta}, but size is [{string.Join<Dim>(", ", size)}]");
            shape = [size[0], .. size[2..], size.Length - 2];
        }
        context.SetOutput(0, context.InputType(0), shape);
    }

    public void Evaluate(EvaluationContext context)
    {
        if (!Converted.ThroughFloat32(context, this)) ElementDispatch.Real(context.Node, context.Input(0).Type, new Action(context, AlignsCorners));
    }

    /// <summary>The grid is that of the identity times theta.</summary>
    public void Gradient(GradientContext context) => CompositeGradient.Apply(context, inputs =>
    {
        Value theta = inputs[0]!;
        int rank = context.Node.KnownRank(context.Output()) - 2;
        float[] diagonal = [.. Enumerable.Range(0, rank * (rank + 1)).Select(i => i % (rank + 2) == 0 ? 1f : 0f)];
        Value identity = theta.Numbers("identity", [rank, rank + 1], diagonal).Apply("Expand", theta.Apply("Shape"));
        Value positions = identity.Apply("AffineGrid", new Attributes { { "align_corners", AlignsCorners } }, inputs[Size]).To(0, -1, rank);
        Value homogeneous = positions.Concat(2, positions.Slice(2, 0, 1).Filled(1));
        return [homogeneous.MatMul(theta.Transpose(0, 2, 1)).ToShapeOf(context.Output())];
    });

    private readonly struct Action(EvaluationContext context, bool alignsCorners) : IRealAction
    {
        public void Run<T>() where T : unmanaged, IBinaryFloatingPointIeee754<T>
        {
            Shape shape = context.Output(0).Shape;
            Span<T> theta = context.Input(0).Span<T>(), y = context.Output(0).Span<T>();
            int rank = shape.Rank - 2, points = (int)shape.CountOf(1, rank + 1);
            Span<double> at = stackalloc double[rank + 1];
            at[rank] = 1;
            for (int i = 0; i < shape[0] * points; i++)
            {
                long rest = i % points;
                for (int d = rank; d >= 1; d--)
                {
                    (rest, long position) = Math.DivRem(rest, shape[d]);
                    // Coordinates go from the last dimension to the first.
                    at[rank - d] = !alignsCorners ? (2 * position + 1.0) / shape[d] - 1 : shape[d] == 1 ? 0 : 2.0 * position / (shape[d] - 1) - 1;
                }
                for (int row = 0; row < rank; row++)
                {
                    double sum = 0;
                    for (int d = 0; d <= rank; d++) sum += at[d] * double.CreateChecked(theta[(i / points * rank + row) * (rank + 1) + d]);
                    y[i * rank + row] = T.CreateChecked(sum);
                }
            }
        }
    }
}
