using System.Numerics;
using Fewbit.Tensors;

namespace Fewbit.Graphs.Operators.Detection;

/// <summary>ONNX MaxRoiPool: the maxima of bins of regions [R, 5] (batch item, x1, y1, x2, y2, both ends included) of x [N, C, H, W].</summary>
/// <remarks>Girshick, "Fast R-CNN", 2015, arXiv:1504.08083. A bin that covers no element gives 0.</remarks>
/// <param name="OutHeight">Rows of a pooled region.</param>
/// <param name="OutWidth">Columns of a pooled region.</param>
/// <param name="Scale">From coordinates of regions to those of x.</param>
internal sealed record MaxRoiPool(int OutHeight, int OutWidth, float Scale) : IRegionPool, IDifferentiable
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

    public void Gradient(GradientContext context) => RegionRoute.Gradient(context, new() { { "pooled_shape", new long[] { OutHeight, OutWidth } }, { "spatial_scale", Scale } });

    public void ForEachTerm<T>(Node node, Tensor x, Tensor regions, Tensor? batch, RegionTerm visit) where T : unmanaged, IBinaryFloatingPointIeee754<T> => ForEachMaximum<T>(node, x, regions, (output, element) =>
    {
        if (element >= 0) visit(output, element, 1);
    });

    /// <summary>Visits each output with the element that is its maximum, -1 where its bin is empty.</summary>
    private void ForEachMaximum<T>(Node node, Tensor image, Tensor given, Action<int, int> visit) where T : unmanaged, IBinaryFloatingPointIeee754<T>
    {
        int channels = (int)image.Shape[1], height = (int)image.Shape[2], width = (int)image.Shape[3], at = 0;
        Span<T> x = image.Span<T>(), regions = given.Span<T>();
        for (int r = 0; r < regions.Length / 5; r++)
        {
            double item = double.CreateChecked(regions[r * 5]);
            node.Expect(item >= 0 && item < image.Shape[0], $"region {r} lies in item {item} of a batch of {image.Shape[0]}");
            (int From, int To)[] rows = Side(regions[r * 5 + 2], regions[r * 5 + 4], OutHeight, height), columns = Side(regions[r * 5 + 1], regions[r * 5 + 3], OutWidth, width);
            for (int c = 0; c < channels; c++)
            {
                int first = ((int)item * channels + c) * height * width;
                ReadOnlySpan<T> plane = x.Slice(first, height * width);
                foreach ((int From, int To) row in rows)
                {
                    foreach ((int From, int To) column in columns) visit(at++, Largest(plane, width, row, column) is var place and >= 0 ? first + place : -1);
                }
            }
        }
    }

    /// <summary>The elements of each bin along one side of a region.</summary>
    private (int From, int To)[] Side<T>(T first, T last, int bins, int length) where T : unmanaged, IBinaryFloatingPointIeee754<T>
    {
        double start = Math.Round(double.CreateChecked(first) * Scale, MidpointRounding.AwayFromZero), end = Math.Round(double.CreateChecked(last) * Scale, MidpointRounding.AwayFromZero);
        double bin = Math.Max(end - start + 1, 1) / bins;
        var ranges = new (int, int)[bins];
        for (int i = 0; i < bins; i++) ranges[i] = ((int)Math.Clamp(Math.Floor(i * bin) + start, 0, length), (int)Math.Clamp(Math.Ceiling((i + 1) * bin) + start, 0, length));
        return ranges;
    }

    /// <summary>Place of the first largest element of a bin; -1 where it covers none.</summary>
    private static int Largest<T>(ReadOnlySpan<T> plane, int width, (int From, int To) rows, (int From, int To) columns) where T : unmanaged, IBinaryFloatingPointIeee754<T>
    {
        int largest = -1;
        for (int row = rows.From; row < rows.To; row++)
        {
            for (int column = columns.From; column < columns.To; column++)
            {
                T element = plane[row * width + column];
                if (largest < 0 || element > plane[largest] || T.IsNaN(element)) largest = row * width + column;
            }
        }
        return largest;
    }

    private readonly struct Action(EvaluationContext context, MaxRoiPool settings) : IRealAction
    {
        public void Run<T>() where T : unmanaged, IBinaryFloatingPointIeee754<T>
        {
            (Tensor x, Tensor y) = (context.Input(0), context.Output(0));
            settings.ForEachMaximum<T>(context.Node, x, context.Input(Regions), (output, element) => y.Span<T>()[output] = element < 0 ? T.Zero : x.Span<T>()[element]);
        }
    }
}
