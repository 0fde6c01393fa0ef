using System.Numerics;
using Fewbit.Tensors;

namespace Fewbit.Graphs.Operators.Detection;

/// <summary>ONNX MaxRoiPool: the maxima of bins of regions [R, 5] (batch item, x1, y1, x2, y2, both ends included) of x [N, C, H, W].</summary>
/// <remarks>Girshick, "Fast R-CNN", 2015, arXiv:1504.08083. A bin that covers no element gives 0.</remarks>
/// <param name="OutHeight">Rows of a pooled region.</param>
/// <param name="OutWidth">Columns of a pooled region.</param>
/// <param name="Scale">From coordinates of regions to those of x.</param>
internal sealed record MaxRoiPool(int OutHeight, int OutWidth, float Scale) : IOperator
{
    private const int Regions = 1;

    public static MaxRoiPool Parse(Node node)
    {
        long[] pooled = node.Ints("pooled_shape") ?? throw node.Fail("has no attribute 'pooled_shape'");
        node.Expect(pooled is [>= 1 and <= ushort.MaxValue, >= 1 and <= ushort.MaxValue], $"pooled_shape is [{string.Join(", ", pooled)}], expected two lengths of 1 or more");
        return new((int)pooled[0], (int)pooled[1], node.Float("spatial_scale", 1));
    }

    public void Infer(InferenceContext context)
    {
        Node node = context.Node;
        node.ExpectInputs(2, 2);
        ElementType type = node.ExpectOneFloatType(context);
        SymbolicShape? x = context.InputShape(0), regions = context.InputShape(Regions);
        node.Expect(x is null or { Rank: 4 }, $"input has shape {x}, expected [N, C, H, W]");
        node.Expect(regions is null || (regions.Rank == 2 && regions[1].MayEqual(5)), $"rois have shape {regions}, expected [R, 5]");
        context.SetOutput(0, type, [regions?[0] ?? Dim.Unknown, x?[1] ?? Dim.Unknown, OutHeight, OutWidth]);
    }

    public void Evaluate(EvaluationContext context)
    {
        if (!Converted.ThroughFloat32(context, this)) ElementDispatch.Real(context.Node, context.Input(0).Type, new Action(context, this));
    }

    private readonly struct Action(EvaluationContext context, MaxRoiPool settings) : IRealAction
    {
        public void Run<T>() where T : unmanaged, IBinaryFloatingPointIeee754<T>
        {
            Tensor image = context.Input(0);
            int channels = (int)image.Shape[1], height = (int)image.Shape[2], width = (int)image.Shape[3], at = 0;
            Span<T> x = image.Span<T>(), regions = context.Input(Regions).Span<T>(), y = context.Output(0).Span<T>();
            for (int r = 0; r < regions.Length / 5; r++)
            {
                double item = double.CreateChecked(regions[r * 5]);
                context.Node.Expect(item >= 0 && item < image.Shape[0], $"region {r} lies in item {item} of a batch of {image.Shape[0]}");
                (int From, int To)[] rows = Side(regions[r * 5 + 2], regions[r * 5 + 4], settings.OutHeight, height), columns = Side(regions[r * 5 + 1], regions[r * 5 + 3], settings.OutWidth, width);
                for (int c = 0; c < channels; c++)
                {
                    ReadOnlySpan<T> plane = x.Slice(((int)item * channels + c) * height * width, height * width);
                    foreach ((int From, int To) row in rows)
                    {
                        foreach ((int From, int To) column in columns) y[at++] = Largest(plane, width, row, column);
                    }
                }
            }
        }

        /// <summary>The elements of each bin along one side of a region.</summary>
        private (int From, int To)[] Side<T>(T first, T last, int bins, int length) where T : unmanaged, IBinaryFloatingPointIeee754<T>
        {
            double start = Math.Round(double.CreateChecked(first) * settings.Scale, MidpointRounding.AwayFromZero), end = Math.Round(double.CreateChecked(last) * settings.Scale, MidpointRounding.AwayFromZero);
            double bin = Math.Max(end - start + 1, 1) / bins;
            var ranges = new (int, int)[bins];
            for (int i = 0; i < bins; i++) ranges[i] = ((int)Math.Clamp(Math.Floor(i * bin) + start, 0, length), (int)Math.Clamp(Math.Ceiling((i + 1) * bin) + start, 0, length));
            return ranges;
        }

        private static T Largest<T>(ReadOnlySpan<T> plane, int width, (int From, int To) rows, (int From, int To) columns) where T : unmanaged, IBinaryFloatingPointIeee754<T>
        {
            if (rows.From >= rows.To || columns.From >= columns.To) return T.Zero;
            T largest = plane[rows.From * width + columns.From];
            for (int row = rows.From; row < rows.To; row++)
            {
                for (int column = columns.From; column < columns.To; column++) largest = T.Max(largest, plane[row * width + column]);
            }
            return largest;
        }
    }
}
