using System.Numerics;
using Fewbit.Tensors;

namespace Fewbit.Graphs.Operators;

/// <summary>ONNX DeformConv, opset 19: a convolution whose taps are moved by offsets and weighted by a mask; between elements it reads linearly, outside of the image 0.</summary>
/// <remarks>Dai et al., "Deformable Convolutional Networks", 2017, arXiv:1703.06211; the mask: Zhu et al., 2018, arXiv:1811.11168.</remarks>
/// <param name="Window">Strides, dilations, padding.</param>
/// <param name="Groups">Groups of channels that do not meet.</param>
/// <param name="OffsetGroups">Groups of input channels that share offsets and mask.</param>
internal sealed record DeformConv(WindowAttributes Window, long Groups, long OffsetGroups) : IDifferentiable
{
    private const int Weight = 1, Offset = 2, Bias = 3, Mask = 4;

    public static DeformConv Parse(Node node)
    {
        (long groups, long offsetGroups) = (node.Int("group", 1), node.Int("offset_group", 1));
        node.Expect(groups is >= 1 and <= int.MaxValue && offsetGroups is >= 1 and <= int.MaxValue, $"group is {groups} and offset_group {offsetGroups}, expected 1 or more");
        return new(WindowAttributes.Parse(node), groups, offsetGroups);
    }

    public void Infer(InferenceContext context)
    {
        Node node = context.Node;
        node.ExpectInputs(3, 5);
        ElementType type = node.ExpectOneFloatType(context);
        if (context.InputShape(0) is not { } x || context.InputShape(Weight) is not { } w)
        {
            context.SetOutput(0, type, null);
            return;
        }
        node.Expect(x.Rank >= 3 && x.Rank == w.Rank, $"input has shape {x} and weight {w}, expected equal ranks of 3 or more");
        Window.CheckLists(node, x.Rank - 2);
        node.Expect(x[1].MayEqual(w[1] * Groups), $"input has {x[1]} channels, but the weight {w} in {Groups} group(s) takes {w[1] * Groups}");
        node.Expect(!w[0].IsKnown || w[0].Length % Groups == 0, $"weight has {w[0]} output channels, which {Groups} groups do not divide");
        node.Expect(!x[1].IsKnown || x[1].Length % OffsetGroups == 0, $"input has {x[1]} channels, which {OffsetGroups} offset groups do not divide");
        node.ExpectVector(context, Bias, w[0], "bias");
        ConvKernels.CheckKernelShape(node, w);
        var dims = new Dim[x.Rank];
        (dims[0], dims[1]) = (x[0], w[0]);
        Dim taps = 1;
        for (int axis = 0; axis < x.Rank - 2; axis++)
        {
            dims[axis + 2] = w[axis + 2].IsKnown ? Window.Output(node, axis, x[axis + 2], w[axis + 2].Length) : Dim.Unknown;
            taps *= w[axis + 2];
        }
        Expect(context, Offset, "offset", [x[0], taps * (x.Rank - 2) * OffsetGroups, .. dims[2..]]);
        if (context.HasInput(Mask)) Expect(context, Mask, "mask", [x[0], taps * OffsetGroups, .. dims[2..]]);
        context.SetOutput(0, type, new(dims));
    }

    public void Evaluate(EvaluationContext context)
    {
        if (!Converted.ThroughFloat32(context, this)) ElementDispatch.Real(context.Node, context.Input(0).Type, new Action(context, this));
    }

    public void Gradient(GradientContext context) => CompositeGradient.Apply(context, inputs => [Formula(context, inputs).ToShapeOf(context.Output())]);

    /// <summary>What the taps read, as images of one offset group [N * groups, channels, spatial], times the weight of each group of channels.</summary>
    private Value Formula(GradientContext context, Value?[] inputs)
    {
        Node node = context.Node;
        (Value x, Value w) = (inputs[0]!, inputs[Weight]!);
        int rank = node.KnownRank(x) - 2, channels = node.KnownLength(x, 1), outputs = node.KnownLength(w, 0);
        WindowAxis[] axes = [.. Enumerable.Range(0, rank).Select(d => Window.Axis(node, d, node.KnownLength(x, d + 2), node.KnownLength(w, d + 2)))];
        int taps = axes.Aggregate(1, (count, axis) => count * axis.Kernel), positions = axes.Aggregate(1, (count, axis) => count * axis.Out);
        int[] lengths = [.. axes.Select(axis => axis.In)];
        Value offsets = inputs[Offset]!.To(-1, taps, rank, positions), images = x.To([-1, channels / OffsetGroups, .. lengths]);
        var read = new ReadingTap[rank][];
        for (int d = 0; d < rank; d++)
        {
            Value moved = offsets.Apply("Gather", new Attributes { { "axis", 2 } }, x.Graph.AddConstant("dimension", Tensor.Scalar((long)d))).To(-1, taps * positions);
            read[d] = SpatialReading.Linear(moved + x.Numbers("positions", [taps * positions], Positions(axes, d)), lengths[d]);
        }
        Value columns = SpatialReading.Read(images, lengths, read);
        if (inputs.ElementAtOrDefault(Mask) is { } mask) columns *= mask.To(-1, 1, taps * positions);
        Value sum = w.To(Groups, outputs / Groups, -1).MatMul(columns.To(-1, Groups, channels / Groups * taps, positions)).To(-1, outputs, positions);
        return inputs.ElementAtOrDefault(Bias) is { } bias ? sum + bias.To(-1, 1) : sum;
    }

    /// <summary>Where each tap of each output position lies along a dimension before it is moved.</summary>
    private static float[] Positions(WindowAxis[] axes, int dimension)
    {
        int inner = 1, innerTaps = 1, positions = axes.Aggregate(1, (count, axis) => count * axis.Out), taps = axes.Aggregate(1, (count, axis) => count * axis.Kernel);
        for (int d = axes.Length - 1; d > dimension; d--) (inner, innerTaps) = (inner * axes[d].Out, innerTaps * axes[d].Kernel);
        WindowAxis axis = axes[dimension];
        return [.. Enumerable.Range(0, taps * positions).Select(i => (float)axis.Position(i % positions / inner % axis.Out, i / positions / innerTaps % axis.Kernel))];
    }

    private static void Expect(InferenceContext context, int input, string name, SymbolicShape expected)
    {
        if (context.InputShape(input) is not { } shape) return;
        bool fits = shape.Rank == expected.Rank && Enumerable.Range(0, shape.Rank).All(axis => shape[axis].MayEqual(expected[axis]));
        context.Node.Expect(fits, $"{name} has shape {shape}, expected {expected}");
    }

    private readonly struct Action(EvaluationContext context, DeformConv settings) : IRealAction
    {
        public void Run<T>() where T : unmanaged, IBinaryFloatingPointIeee754<T>
        {
            (Tensor image, Tensor weight, Tensor output) = (context.Input(0), context.Input(Weight), context.Output(0));
            int rank = image.Rank - 2, channels = (int)image.Shape[1], outputs = (int)weight.Shape[0], positions = (int)output.Shape.CountOf(2, output.Rank), taps = (int)weight.Shape.CountOf(2, weight.Rank);
            var axes = new WindowAxis[rank];
            for (int d = 0; d < rank; d++) axes[d] = settings.Window.Axis(context.Node, d, image.Shape[d + 2], weight.Shape[d + 2]);
            Span<T> w = weight.Span<T>(), y = output.Span<T>(), bias = context.FindInput(Bias) is { } given ? given.Span<T>() : default;
            int groupInputs = channels / (int)settings.Groups, groupOutputs = outputs / (int)settings.Groups;
            var column = new double[channels * taps];
            for (int i = 0; i < image.Shape[0] * positions; i++)
            {
                (int n, int position) = Math.DivRem(i, positions);
                Sample<T>(axes, n, position, positions, taps, column);
                for (int m = 0; m < outputs; m++)
                {
                    double sum = bias.IsEmpty ? 0 : double.CreateChecked(bias[m]);
                    int from = m / groupOutputs * groupInputs * taps;
                    for (int k = 0; k < groupInputs * taps; k++) sum += column[from + k] * double.CreateChecked(w[m * groupInputs * taps + k]);
                    y[(n * outputs + m) * positions + position] = T.CreateChecked(sum);
                }
            }
        }

        /// <summary>What all taps of all channels read for one output position.</summary>
        private void Sample<T>(WindowAxis[] axes, int n, int position, int positions, int taps, double[] column) where T : unmanaged, IBinaryFloatingPointIeee754<T>
        {
            Tensor image = context.Input(0);
            Span<T> x = image.Span<T>(), offsets = context.Input(Offset).Span<T>(), mask = context.FindInput(Mask) is { } given ? given.Span<T>() : default;
            int channels = (int)image.Shape[1], plane = (int)image.Shape.CountOf(2, image.Rank), share = channels / (int)settings.OffsetGroups;
            Span<double> at = stackalloc double[axes.Length];
            for (int unit = 0; unit < settings.OffsetGroups * taps; unit++)
            {
                (int group, int tap) = Math.DivRem(unit, taps);
                (int place, int rest) = (position, tap);
                for (int d = axes.Length - 1; d >= 0; d--)
                {
                    (place, int o) = Math.DivRem(place, axes[d].Out);
                    (rest, int k) = Math.DivRem(rest, axes[d].Kernel);
                    int offset = ((n * (int)settings.OffsetGroups + group) * taps + tap) * axes.Length + d;
                    at[d] = axes[d].Position(o, k) + double.CreateChecked(offsets[offset * positions + position]);
                }
                double factor = mask.IsEmpty ? 1 : double.CreateChecked(mask[((n * (int)settings.OffsetGroups + group) * taps + tap) * positions + position]);
                for (int c = group * share; c < (group + 1) * share; c++) column[c * taps + tap] = factor * Read<T>(x.Slice((n * channels + c) * plane, plane), axes, at, 0, 0);
            }
        }

        /// <summary>The image between its elements: linear along dimension <paramref name="d"/> and those behind it.</summary>
        private static double Read<T>(ReadOnlySpan<T> image, WindowAxis[] axes, ReadOnlySpan<double> at, int d, int row) where T : unmanaged, IBinaryFloatingPointIeee754<T>
        {
            if (d == axes.Length) return double.CreateChecked(image[row]);
            if (!(at[d] > -1 && at[d] < axes[d].In)) return 0;
            int low = (int)Math.Floor(at[d]);
            double share = at[d] - low, sum = 0;
            if (low >= 0 && share < 1) sum += (1 - share) * Read(image, axes, at, d + 1, row * axes[d].In + low);
            if (low + 1 < axes[d].In && share > 0) sum += share * Read(image, axes, at, d + 1, row * axes[d].In + low + 1);
            return sum;
        }
    }
}
