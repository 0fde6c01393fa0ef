using Fewbit.Tensors;

namespace Fewbit.Graphs.Tests.Differentiation;

internal static partial class GradientCases
{
    private static long[] L(params long[] numbers) => numbers;

    private static IEnumerable<GradientCase> Windows => [.. Convolutions, .. Pools, .. Regions];

    private static IEnumerable<GradientCase> Convolutions
    {
        get
        {
            yield return new("Conv", X([2, 4, 5, 4]), X([6, 2, 3, 2]), X([6])) { Attributes = new() { { "group", 2 }, { "strides", L(2, 1) }, { "dilations", L(1, 2) }, { "pads", L(1, 0, 2, 1) } } };
            yield return new("Conv", X([1, 3, 6]), X([3, 1, 2])) { Note = "depthwise, 1-D", Attributes = new() { { "group", 3 }, { "auto_pad", "SAME_LOWER" }, { "strides", L(2) } } };
            yield return new("Conv", X([1, 2, 3, 4, 3]), X([2, 2, 2, 1, 2]), X([2])) { Note = "3-D" };
            yield return new("Conv", X([2, 3, 2, 3]), X([4, 3, 1, 1])) { Note = "1x1" };
            foreach (string padding in (string[])["SAME_UPPER", "SAME_LOWER", "VALID"])
                yield return new("ConvTranspose", X([1, 4, 3, 4]), X([4, 1, 3, 2]), X([2])) { Note = padding, Attributes = new() { { "group", 2 }, { "strides", L(2, 1) }, { "auto_pad", padding } } };
            yield return new("ConvTranspose", X([2, 2, 3, 3]), X([2, 3, 3, 3])) { Note = "output_padding", Attributes = new() { { "strides", L(2, 3) }, { "output_padding", L(1, 2) }, { "pads", L(1, 0, 1, 1) } } };
            yield return new("ConvTranspose", X([1, 2, 3, 3]), X([2, 1, 3, 3])) { Note = "output_shape", Attributes = new() { { "strides", L(2, 2) }, { "output_shape", L(8, 6) } } };
            yield return new("ConvTranspose", X([1, 2, 4]), X([2, 2, 3]), X([2])) { Note = "dilated, 1-D", Attributes = new() { { "dilations", L(2) }, { "pads", L(1, 2) } } };
            yield return new("ConvTranspose", X([1, 1, 2, 3]), X([1, 1, 2, 2])) { Note = "output_padding of a stride or more", Attributes = new() { { "output_padding", L(1, 2) }, { "dilations", L(3, 3) } } };
            yield return new("ConvBackwardData", X([1, 3, 3, 3]), X([3, 2, 3, 3]), Ints(1, 2, 5, 5)) { Domain = Fewbit };
            yield return new("ConvBackwardWeights", X([1, 2, 5, 5]), X([1, 3, 3, 3]), Ints(3, 2, 3, 3)) { Domain = Fewbit };
            yield return new("DeformConv", X([1, 4, 4, 5]), X([4, 2, 2, 2]), X([1, 16, 3, 4], 0.1, 0.8), X([4]), X([1, 8, 3, 4])) { Attributes = new() { { "group", 2 }, { "offset_group", 2 } } };
            yield return new("DeformConv", X([2, 2, 5, 5]), X([3, 2, 3, 3]), X([2, 18, 3, 3], -0.9, -0.1)) { Note = "strides, padding", Attributes = new() { { "strides", L(2, 2) }, { "pads", L(1, 1, 1, 1) } } };
            yield return new("Col2Im", X([2, 12, 6]), Ints(4, 4), Ints(2, 2)) { Attributes = new() { { "strides", L(1, 2) }, { "pads", L(0, 1, 0, 0) } } };
            yield return new("Col2Im", X([1, 6, 3]), Ints(6), Ints(2)) { Note = "dilated, 1-D", Attributes = new() { { "dilations", L(3) } } };
            yield return new("CausalConvWithState", X([2, 3, 5]), X([3, 1, 4]), X([3]), X([2, 3, 3])) { Outputs = 2, Attributes = new() { { "activation", "silu" } } };
            yield return new("CausalConvWithState", X([1, 2, 3]), X([2, 1, 2])) { Note = "no state", Outputs = 2 };
        }
    }

    private static IEnumerable<GradientCase> Pools
    {
        get
        {
            Attributes Window() => new() { { "kernel_shape", L(3, 2) }, { "strides", L(2, 1) }, { "pads", L(1, 0, 1, 1) } };
            yield return new("MaxPool", Apart([1, 2, 5, 5])) { Attributes = Window() };
            yield return new("MaxPool", Apart([1, 1, 7])) { Note = "dilated, rounded up", Attributes = new() { { "kernel_shape", L(2) }, { "strides", L(2) }, { "dilations", L(2) }, { "ceil_mode", 1 } } };
            foreach (int countsPad in (int[])[0, 1])
            {
                yield return new("AveragePool", X([1, 2, 5, 5])) { Note = $"padding counts: {countsPad}", Attributes = new() { { "kernel_shape", L(3, 2) }, { "strides", L(2, 1) }, { "pads", L(1, 0, 1, 1) }, { "count_include_pad", countsPad } } };
                yield return new("AveragePool", X([1, 1, 6])) { Note = $"rounded up, padding counts: {countsPad}", Attributes = new() { { "kernel_shape", L(3) }, { "strides", L(2) }, { "ceil_mode", 1 }, { "count_include_pad", countsPad } } };
            }
            foreach (long p in (long[])[1, 2, 3]) yield return new("LpPool", AwayFromZero([1, 2, 5, 4])) { Note = $"p = {p}", Attributes = new() { { "p", p }, { "kernel_shape", L(2, 3) }, { "strides", L(2, 1) }, { "pads", L(1, 0, 0, 1) } } };
            yield return new("LpPool", AwayFromZero([2, 1, 6])) { Note = "rounded up, dilated", Attributes = new() { { "p", 2 }, { "kernel_shape", L(2) }, { "strides", L(2) }, { "dilations", L(2) }, { "ceil_mode", 1 } } };
            yield return new("LpPool", AwayFromZero([1, 1, 5, 3])) { Note = "SAME_UPPER", Attributes = new() { { "kernel_shape", L(2, 2) }, { "strides", L(2, 2) }, { "auto_pad", "SAME_UPPER" } } };
            foreach (long p in (long[])[1, 2, 3]) yield return new("GlobalLpPool", AwayFromZero([2, 2, 3, 2])) { Note = $"p = {p}", Attributes = new() { { "p", p } } };
            yield return new("GlobalAveragePool", X([2, 3, 2, 3]));
            yield return new("GlobalMaxPool", Apart([2, 3, 2, 3]));
            yield return new("MaxUnpool", X([1, 2, 2, 2]), Ints([1, 2, 2, 2], 0, 3, 10, 15, 17, 18, 28, 30)) { Attributes = new() { { "kernel_shape", L(2, 2) }, { "strides", L(2, 2) } } };
            yield return new("MaxUnpool", X([1, 1, 2, 2]), Ints([1, 1, 2, 2], 0, 3, 8, 15), Ints(1, 1, 5, 6)) { Note = "output_shape", Attributes = new() { { "kernel_shape", L(2, 2) }, { "strides", L(2, 2) } } };
            yield return new("MaxPoolScatter", X([1, 2, 3, 5]), new Fixed(X([1, 2, 5, 5]))) { Domain = Fewbit, Attributes = Window() };
            yield return new("MaxPoolGather", X([1, 2, 5, 5]), new Fixed(X([1, 2, 5, 5]))) { Domain = Fewbit, Attributes = Window() };
            yield return new("AveragePoolSpread", X([1, 2, 3, 5]), Ints(1, 2, 5, 5)) { Domain = Fewbit, Attributes = Window() };
        }
    }

    private static IEnumerable<GradientCase> Regions
    {
        get
        {
            var aligned = new Fixed(Numbers([3, 4], 0.3, 1.2, 4.1, 3.7, 1, 0, 6.5, 5.2, -1.5, 2, 2.5, 6.3));
            Attributes Align(string mode, long samples, string coordinates) => new() { { "mode", mode }, { "sampling_ratio", samples }, { "output_height", 2 }, { "output_width", 3 }, { "spatial_scale", 0.7f }, { "coordinate_transformation_mode", coordinates } };
            foreach (string mode in (string[])["avg", "max"])
            {
                yield return new("RoiAlign", Apart([2, 2, 5, 4]), aligned, Ints(0, 1, 1)) { Note = mode, Attributes = Align(mode, 2, "half_pixel") };
                yield return new("RoiAlign", Apart([2, 2, 5, 4]), aligned, Ints(0, 1, 1)) { Note = $"{mode}, own samples", Attributes = Align(mode, 0, "output_half_pixel") };
            }
            var pooled = new Fixed(Numbers([3, 5], 0, 0, 1, 3, 4, 1, 1, 1, 3, 2, 1, 3, 3, 6, 6));
            yield return new("MaxRoiPool", Apart([2, 2, 5, 4]), pooled) { Attributes = new() { { "pooled_shape", L(2, 2) }, { "spatial_scale", 0.8f } } };
            Attributes Route() => new() { { "mode", "avg" }, { "sampling_ratio", 2 }, { "output_height", 2 }, { "output_width", 3 }, { "coordinates", "half_pixel" } };
            yield return new("RegionScatter", X([3, 2, 2, 3]), new Fixed(X([2, 2, 5, 4])), aligned, Ints(0, 1, 1)) { Domain = Fewbit, Attributes = Route() };
            yield return new("RegionGather", X([2, 2, 5, 4]), new Fixed(X([2, 2, 5, 4])), aligned, Ints(0, 1, 1)) { Domain = Fewbit, Attributes = Route() };
        }
    }

    private static IEnumerable<GradientCase> Resampling
    {
        get
        {
            foreach (string mode in (string[])["nearest", "linear", "cubic"])
            {
                foreach (string coordinates in (string[])["half_pixel", "align_corners", "asymmetric", "pytorch_half_pixel", "half_pixel_symmetric", "tf_crop_and_resize"])
                {
                    object? region = coordinates == "tf_crop_and_resize" ? Tensor.From<float>([0, 0, 0.1f, -0.2f, 1, 1, 0.8f, 1.1f]) : null;
                    yield return new("Resize", X([1, 2, 3, 4]), region, null, Ints(1, 2, 5, 3)) { Note = $"{mode}, {coordinates}", Attributes = new() { { "mode", mode }, { "coordinate_transformation_mode", coordinates }, { "extrapolation_value", 0.3f } } };
                }
                yield return new("Resize", X([2, 5, 1]), null, Tensor.From(0.6f)) { Note = $"{mode}, antialiased", Attributes = new() { { "mode", mode }, { "antialias", 1 }, { "axes", L(1) } } };
            }
            yield return new("Resize", X([1, 1, 4, 5]), null, Tensor.From(1f, 1f, 1.5f, 0.7f)) { Note = "cubic, outside excluded", Attributes = new() { { "mode", "cubic" }, { "cubic_coeff_a", -0.5f }, { "exclude_outside", 1 } } };
            yield return new("Upsample", X([1, 2, 2, 3]), Tensor.From(1f, 1f, 2f, 1.5f)) { Opset = 9, Attributes = new() { { "mode", "linear" } } };
            yield return new("Upsample", X([1, 2, 2, 3])) { Note = "attribute", Opset = 7, Attributes = new() { { "scales", new float[] { 1, 1, 2, 1.5f } } } };
            yield return new("Resize", X([1, 2, 2, 3]), Tensor.From(1f, 1f, 2f, 1.5f)) { Note = "old", Opset = 10, Attributes = new() { { "mode", "linear" } } };
            yield return new("ResizeAdjoint", X([1, 1, 5]), Ints(1, 1, 3), null, null, Ints(1, 1, 5)) { Domain = Fewbit, Attributes = new() { { "mode", "linear" } } };
            foreach (string mode in (string[])["linear", "nearest", "cubic"])
            {
                foreach (string padding in (string[])["zeros", "border", "reflection"])
                {
                    foreach (int aligns in (int[])[0, 1])
                        yield return new("GridSample", X([2, 2, 3, 4]), X([2, 2, 3, 2], -1.4, 1.4)) { Note = $"{mode}, {padding}, {aligns}", Attributes = new() { { "mode", mode }, { "padding_mode", padding }, { "align_corners", aligns } } };
                }
            }
            yield return new("GridSample", X([1, 1, 2, 3, 2]), X([1, 2, 2, 1, 3], -0.9, 0.9)) { Note = "volume" };
            foreach (int aligns in (int[])[0, 1])
            {
                yield return new("AffineGrid", X([2, 2, 3]), Ints(2, 1, 3, 4)) { Note = $"{aligns}", Attributes = new() { { "align_corners", aligns } } };
                yield return new("AffineGrid", X([1, 3, 4]), Ints(1, 1, 2, 3, 2)) { Note = $"volume, {aligns}", Attributes = new() { { "align_corners", aligns } } };
            }
        }
    }
}
