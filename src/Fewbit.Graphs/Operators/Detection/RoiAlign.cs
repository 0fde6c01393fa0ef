using System.Numerics;
using Fewbit.Tensors;

namespace Fewbit.Graphs.Operators.Detection;

/// <summary>ONNX RoiAlign, opset 10 and 16: regions [R, 4] of x [N, C, H, W], given as x1, y1, x2, y2, sampled between elements and pooled to [R, C, OutHeight, OutWidth].</summary>
/// <remarks>He et al., "Mask R-CNN", 2017, arXiv:1703.06870. The maximum is taken over the weighted corners of the samples, as the reference implementation of the operator does.</remarks>
/// <param name="OutHeight">Rows of a pooled region.</param>
/// <param name="OutWidth">Columns of a pooled region.</param>
/// <param name="Samples">Samples along each side of a bin; 0: one for every element that it covers.</param>
/// <param name="Scale">From coordinates of regions to those of x.</param>
/// <param name="IsHalfPixel">Whether the centre of the first element lies at 0.5; opset 10 has it at 0 and widens regions to 1 at least.</param>
/// <param name="IsMaximum">Maximum instead of mean.</param>
internal sealed record RoiAlign(int OutHeight, int OutWidth, int Samples, float Scale, bool IsHalfPixel, bool IsMaximum) : IRegionPool, IDifferentiable
{
    private const int Regions = 1, BatchIndices = 2, MaxSamples = 1024;

    public static RoiAlign Parse(Node node) => Parse(node, node.OpsetVersion < 16 ? "output_half_pixel" : node.String("coordinate_transformation_mode", "half_pixel"));

    public static RoiAlign Parse(Node node, string coordinates)
    {
        node.Expect(coordinates is "half_pixel" or "output_half_pixel", $"coordinate_transformation_mode is '{coordinates}', expected half_pixel or output_half_pixel");
        string mode = node.String("mode", "avg");
        node.Expect(mode is "avg" or "max", $"mode is '{mode}', expected avg or max");
        (long height, long width, long samples) = (node.Int("output_height", 1), node.Int("output_width", 1), node.Int("sampling_ratio", 0));
        node.Expect(height is >= 1 and <= ushort.MaxValue && width is >= 1 and <= ushort.MaxValue && samples is >= 0 and <= MaxSamples, $"output is {height} by {width} with sampling_ratio {samples}, expected lengths of 1 or more and a ratio of 0 to {MaxSamples}");
        return new((int)height, (int)width, (int)samples, node.Float("spatial_scale", 1), coordinates == "half_pixel", mode == "max");
    }

    public void Infer(InferenceContext context)
    {
        Node node = context.Node;
        node.ExpectInputs(3, 3);
        node.ExpectOneFloatType(context, inputs: 2);
        context.ExpectType(BatchIndices, type => type is ElementType.Int64 or ElementType.Int32, "int64 batch indices");
        SymbolicShape? x = context.InputShape(0), regions = context.InputShape(Regions);
        node.Expect(x is null or { Rank: 4 }, $"input has shape {x}, expected [N, C, H, W]");
        node.Expect(regions is null || (regions.Rank == 2 && regions[1].MayEqual(4)), $"rois have shape {regions}, expected [R, 4]");
        Dim count = regions?[0] ?? Dim.Unknown;
        node.ExpectVector(context, BatchIndices, count, "batch_indices");
        context.SetOutput(0, context.InputType(0), [count, x?[1] ?? Dim.Unknown, OutHeight, OutWidth]);
    }

    public void Evaluate(EvaluationContext context)
    {
        if (!Converted.ThroughFloat32(context, this)) ElementDispatch.Real(context.Node, context.Input(0).Type, new Action(context, this));
    }

    public void Gradient(GradientContext context) => RegionRoute.Gradient(context, new()
    {
        { "coordinates", IsHalfPixel ? "half_pixel" : "output_half_pixel" },
        { "mode", IsMaximum ? "max" : "avg" },
        { "output_height", OutHeight },
        { "output_width", OutWidth },
        { "sampling_ratio", Samples },
        { "spatial_scale", Scale },
    });

    public void ForEachTerm<T>(Node node, Tensor x, Tensor regions, Tensor? batch, RegionTerm visit) where T : unmanaged, IBinaryFloatingPointIeee754<T>
    {
        int channels = (int)x.Shape[1], plane = (int)x.Shape.CountOf(2, 4), bins = OutHeight * OutWidth;
        long[] items = node.ReadInts(batch!);
        for (int r = 0; r < items.Length; r++)
        {
            (Sample[][] rows, Sample[][] columns) = Sides<T>(node, x, regions, items, r);
            for (int i = 0; i < channels * bins; i++)
            {
                (int c, int bin) = Math.DivRem(i, bins);
                (Sample[] vertical, Sample[] horizontal) = (rows[bin / OutWidth], columns[bin % OutWidth]);
                int first = ((int)items[r] * channels + c) * plane, output = r * channels * bins + i;
                if (IsMaximum) VisitLargest<T>(vertical, horizontal, first, x, (element, weight) => visit(output, element, weight));
                else Visit(vertical, horizontal, first, (int)x.Shape[3], (element, weight) => visit(output, element, weight / Math.Max(1, vertical.Length * horizontal.Length)));
            }
        }
    }

    /// <summary>Visits the four corners of each sample that lies on the image.</summary>
    private static void Visit(Sample[] rows, Sample[] columns, int first, int width, Action<int, double> visit)
    {
        foreach (Sample row in rows.Where(row => !row.IsOutside))
        {
            foreach (Sample column in columns.Where(column => !column.IsOutside))
            {
                visit(first + row.Low * width + column.Low, row.LowShare * column.LowShare);
                visit(first + row.Low * width + column.High, row.LowShare * column.HighShare);
                visit(first + row.High * width + column.Low, row.HighShare * column.LowShare);
                visit(first + row.High * width + column.High, row.HighShare * column.HighShare);
            }
        }
    }

    /// <summary>Visits the corner whose weighted element is the maximum, none where that is the 0 outside of the image.</summary>
    private static void VisitLargest<T>(Sample[] rows, Sample[] columns, int first, Tensor x, Action<int, double> visit) where T : unmanaged, IBinaryFloatingPointIeee754<T>
    {
        (int element, double weight, double largest) best = (-1, 0, rows.Concat(columns).Any(sample => sample.IsOutside) ? 0 : double.NegativeInfinity);
        Visit(rows, columns, first, (int)x.Shape[3], (element, weight) =>
        {
            double product = weight * double.CreateChecked(x.Span<T>()[element]);
            if (product > best.largest) best = (element, weight, product);
        });
        if (best.element >= 0) visit(best.element, best.weight);
    }

    private (Sample[][] Rows, Sample[][] Columns) Sides<T>(Node node, Tensor image, Tensor given, long[] batch, int r) where T : unmanaged, IBinaryFloatingPointIeee754<T>
    {
        node.Expect(batch[r] >= 0 && batch[r] < image.Shape[0], $"region {r} lies in item {batch[r]} of a batch of {image.Shape[0]}");
        Span<T> regions = given.Span<T>();
        return (Side(node, regions[r * 4 + 1], regions[r * 4 + 3], OutHeight, (int)image.Shape[2]), Side(node, regions[r * 4], regions[r * 4 + 2], OutWidth, (int)image.Shape[3]));
    }

    /// <summary>The samples of each bin along one side of a region.</summary>
    private Sample[][] Side<T>(Node node, T from, T to, int bins, int length) where T : unmanaged, IBinaryFloatingPointIeee754<T>
    {
        double offset = IsHalfPixel ? 0.5 : 0, start = double.CreateChecked(from) * Scale - offset, size = double.CreateChecked(to) * Scale - offset - start;
        if (!IsHalfPixel) size = Math.Max(size, 1);
        double bin = size / bins;
        node.Expect(Math.Abs(bin) < ushort.MaxValue, $"a region reaches from {from} to {to}, expected coordinates of an image of {length}");
        int count = Samples > 0 ? Samples : Math.Max(0, (int)Math.Ceiling(bin));
        var samples = new Sample[bins][];
        for (int i = 0; i < bins; i++) samples[i] = [.. Enumerable.Range(0, count).Select(s => Sample.At(start + i * bin + (s + 0.5) * bin / count, length))];
        return samples;
    }

    private readonly struct Action(EvaluationContext context, RoiAlign settings) : IRealAction
    {
        public void Run<T>() where T : unmanaged, IBinaryFloatingPointIeee754<T>
        {
            Tensor image = context.Input(0);
            int channels = (int)image.Shape[1], height = (int)image.Shape[2], width = (int)image.Shape[3], bins = settings.OutHeight * settings.OutWidth;
            long[] batch = context.Node.ReadInts(context.Input(BatchIndices));
            Span<T> x = image.Span<T>(), y = context.Output(0).Span<T>();
            for (int r = 0; r < batch.Length; r++)
            {
                (Sample[][] rows, Sample[][] columns) = settings.Sides<T>(context.Node, image, context.Input(Regions), batch, r);
                for (int c = 0; c < channels; c++)
                {
                    ReadOnlySpan<T> plane = x.Slice(((int)batch[r] * channels + c) * height * width, height * width);
                    for (int bin = 0; bin < bins; bin++) y[(r * channels + c) * bins + bin] = T.CreateChecked(Pool(plane, width, rows[bin / settings.OutWidth], columns[bin % settings.OutWidth]));
                }
            }
        }

        private double Pool<T>(ReadOnlySpan<T> plane, int width, Sample[] rows, Sample[] columns) where T : unmanaged, IBinaryFloatingPointIeee754<T>
        {
            double sum = 0, largest = rows.Length * columns.Length == 0 ? 0 : double.NegativeInfinity;
            foreach (Sample row in rows)
            {
                if (row.IsOutside) largest = Math.Max(largest, 0);
                if (row.IsOutside) continue;
                foreach (Sample column in columns)
                {
                    if (column.IsOutside)
                    {
                        largest = Math.Max(largest, 0);
                        continue;
                    }
                    double a = row.LowShare * column.LowShare * double.CreateChecked(plane[row.Low * width + column.Low]), b = row.LowShare * column.HighShare * double.CreateChecked(plane[row.Low * width + column.High]);
                    double c = row.HighShare * column.LowShare * double.CreateChecked(plane[row.High * width + column.Low]), d = row.HighShare * column.HighShare * double.CreateChecked(plane[row.High * width + column.High]);
                    sum += a + b + c + d;
                    largest = Math.Max(largest, Math.Max(Math.Max(a, b), Math.Max(c, d)));
                }
            }
            return settings.IsMaximum ? largest : sum / Math.Max(1, rows.Length * columns.Length);
        }
    }

    /// <summary>A position between two elements, and what each of them weighs there.</summary>
    private readonly record struct Sample(int Low, int High, double HighShare, bool IsOutside)
    {
        public double LowShare => 1 - HighShare;

        public static Sample At(double position, int length)
        {
            if (!(position >= -1 && position <= length) || length == 0) return new(0, 0, 0, true);
            position = Math.Clamp(position, 0, length - 1);
            int low = (int)position;
            return new(low, Math.Min(low + 1, length - 1), position - low, false);
        }
    }
}
