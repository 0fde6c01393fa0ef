using Fewbit.Tensors;

namespace Fewbit.Graphs.Tests.Differentiation;

internal static partial class GradientCases
{
    private static IEnumerable<GradientCase> Movement
    {
        get
        {
            yield return new("Reshape", X([2, 6]), Ints(3, -1));
            yield return new("Squeeze", X([2, 1, 3, 1]), Ints(1, -1));
            yield return new("Unsqueeze", X([2, 3]), Ints(0, -1));
            yield return new("Flatten", X([2, 3, 2])) { Attributes = new() { { "axis", 2 } } };
            yield return new("Expand", X([2, 1, 3]), Ints(4, 2, 5, 3));
            yield return new("Transpose", X([2, 3, 4])) { Attributes = new() { { "perm", new long[] { 2, 0, 1 } } } };
            yield return new("Concat", X([2, 1]), X([2, 3]), X([2, 2])) { Attributes = new() { { "axis", -1 } } };
            yield return new("Split", X([2, 7]), Ints(1, 4, 2)) { Outputs = 3, Attributes = new() { { "axis", 1 } } };
            yield return new("Split", X([5, 2])) { Note = "uneven", Outputs = 2, Attributes = new() { { "num_outputs", 2 } } };
            yield return new("Slice", X([4, 5]), Ints(-1, 0), Ints(-5, 5), Ints(1, 0), Ints(-2, 3));
            yield return new("Tile", X([2, 3]), Ints(3, 2));
            foreach (string mode in (string[])["reflect", "edge", "wrap"]) yield return new("Pad", X([3, 4]), Ints(1, 2, 2, 0)) { Note = mode, Attributes = new() { { "mode", mode } } };
            yield return new("Pad", X([3, 4]), Ints(1, -1, 2, 3), Numbers([], 0.7)) { Note = "constant, cut" };
            yield return new("Pad", X([3, 4, 2]), Ints(1, 2), Numbers([], 0.7), Ints(-2)) { Note = "axes" };
            yield return new("Pad", X([3, 2]), Ints(-1, 2, 1, -1)) { Note = "edge, cut", Attributes = new() { { "mode", "edge" } } };
            yield return new("CenterCropPad", X([5, 3, 4]), Ints(2, 6)) { Attributes = new() { { "axes", new long[] { 0, 1 } } } };
            yield return new("CenterCropPad", X([2, 5]), Ints(5, 2)) { Note = "odd" };
            yield return new("Trilu", X([2, 3, 4]), Int(1));
            yield return new("Trilu", X([4, 3]), Int(-1)) { Note = "lower", Attributes = new() { { "upper", 0 } } };
            yield return new("ReverseSequence", X([4, 3, 2]), Ints(1, 4, 3));
            yield return new("ReverseSequence", X([3, 4]), Ints(1, 4, 0)) { Note = "batch first", Attributes = new() { { "batch_axis", 0 }, { "time_axis", 1 } } };
            foreach (string mode in (string[])["DCR", "CRD"]) yield return new("DepthToSpace", X([1, 8, 2, 3])) { Note = mode, Attributes = new() { { "blocksize", 2 }, { "mode", mode } } };
            yield return new("SpaceToDepth", X([1, 2, 4, 6])) { Attributes = new() { { "blocksize", 2 } } };
            yield return new("SpaceToDepth", X([1, 2, 4, 6])) { Domain = Fewbit, Attributes = new() { { "blocksize", 2 } } };
            yield return new("OneHot", Ints([2, 2], 1, -1, 0, 9), Int(3), Numbers([2], -0.3, 0.8)) { Attributes = new() { { "axis", 1 } } };
            yield return new("Range", Numbers([], 0.3), new Fixed(Numbers([], 2.2)), Numbers([], 0.5)) { Lengths = [4] };
        }
    }

    private static IEnumerable<GradientCase> Selection
    {
        get
        {
            yield return new("Gather", X([3, 4, 2]), Ints([2, 2], 1, -1, 3, 1)) { Attributes = new() { { "axis", 1 } } };
            yield return new("Gather", X([3, 4]), Int(2)) { Note = "one" };
            yield return new("GatherElements", X([3, 4]), Ints([2, 4], 0, 1, 2, 0, -1, 1, 0, 0));
            yield return new("GatherND", X([3, 4]), Ints([3, 1], 2, 0, 2));
            yield return new("GatherND", X([2, 3, 4]), Ints([2, 2, 1], 2, 0, 1, 1)) { Note = "batch_dims", Attributes = new() { { "batch_dims", 1 } } };
            yield return new("GatherND", X([2, 3, 4]), Ints([2, 3, 2, 1], 1, 1, 0, 3, 2, 2, 0, 1, 2, 3, -1, 0)) { Note = "two batch_dims", Attributes = new() { { "batch_dims", 2 } } };
            yield return new("ScatterElements", X([3, 4]), Ints([2, 4], 0, 1, 2, 0, 1, 2, 1, 1), X([2, 4])) { Note = "none" };
            yield return new("Scatter", X([3, 4]), Ints([1, 4], 0, 1, 2, 0), X([1, 4])) { Opset = 9 };
            yield return new("ScatterND", X([3, 4]), Ints([2, 1], 2, 0), X([2, 4])) { Note = "none" };
            foreach (string reduction in (string[])["add", "mul", "min", "max"])
            {
                Attributes Kind(string name, long value) => new() { { "reduction", reduction }, { name, value } };
                yield return new("ScatterElements", Apart([4, 3]), Ints([4, 2], 0, 0, 2, 0, 1, 1, -1, 2), Apart([4, 2])) { Note = reduction, Attributes = Kind("axis", 1) };
                yield return new("ScatterND", Apart([3, 4]), Ints([2, 2, 1], 2, 0, 2, -1), Apart([2, 2, 4])) { Note = reduction, Attributes = new() { { "reduction", reduction } } };
            }
            yield return new("ScatterElements", Numbers([4], 0, 0.5, 2, 0), Ints(0, 0, 1, 1, 2, 3), Numbers([6], 0.3, 0.7, 0, 1.5, 0, 0)) { Note = "mul, zeros", Order = 1, Attributes = new() { { "reduction", "mul" } } };
            yield return new("Compress", X([3, 4, 2]), Tensor.From(true, false, true)) { Lengths = [3, 2, 2], Attributes = new() { { "axis", 1 } } };
            yield return new("Compress", X([2, 3]), Tensor.From(true, false, true, true)) { Note = "flat", Lengths = [3] };
            yield return new("Unique", Apart([5])) { Lengths = [5] };
            yield return new("Unique", X([3, 2])) { Note = "rows", Lengths = [3, 2], Attributes = new() { { "axis", 0 }, { "sorted", 0 } } };
            yield return new("TopK", Apart([3, 5]), Ints(2)) { Outputs = 2 };
            yield return new("TopK", Apart([3, 2, 2]), Ints(2)) { Note = "smallest", Outputs = 2, Attributes = new() { { "axis", 0 }, { "largest", 0 } } };
            yield return new("GatherGradient", X([3, 2, 2]), new Fixed(X([3, 4, 2])), Ints(3, 3)) { Domain = Fewbit, Attributes = new() { { "axis", 1 } } };
            yield return new("GatherNDGradient", X([2, 2, 4]), new Fixed(X([2, 3, 4])), Ints([2, 2, 1], 2, 2, 1, 0)) { Domain = Fewbit, Attributes = new() { { "batch_dims", 1 } } };
            yield return new("SliceGradient", X([2, 2]), new Fixed(X([4, 5])), Ints(-1, 0), Ints(-5, 5), Ints(1, 0), Ints(-2, 3)) { Domain = Fewbit };
            yield return new("PadGradient", X([6, 6]), new Fixed(X([3, 4])), Ints(1, 2, 2, 0)) { Domain = Fewbit, Attributes = new() { { "mode", "reflect" } } };
            yield return new("TileGradient", X([6, 6]), new Fixed(X([2, 3])), Ints(3, 2)) { Domain = Fewbit };
        }
    }
}
