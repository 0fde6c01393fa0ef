using System.Numerics;
using Fewbit.Tensors;

namespace Fewbit.Graphs.Operators;

/// <summary>ONNX Col2Im, opset 18: adds the columns [N, C * block, positions] of a convolution back to images [N, C, spatial].</summary>
internal sealed record Col2Im(WindowAttributes Window) : IDifferentiable
{
    private const int Image = 1, Block = 2;

    public static Col2Im Parse(Node node) => new(WindowAttributes.Parse(node));

    public void Infer(InferenceContext context)
    {
        Node node = context.Node;
        node.ExpectInputs(3, 3);
        SymbolicShape? x = context.InputShape(0);
        node.Expect(x is null or { Rank: 3 }, $"input has shape {x}, expected [N, C * block, positions]");
        Dim[]? image = context.InputDims(Image);
        if (image is null && context.InputShape(Image) is { Rank: 1 } list && list[0].IsKnown) image = new Dim[list[0].Length];
        if (image is null)
        {
            context.SetOutput(0, context.InputType(0), null);
            return;
        }
        Dim channels = Dim.Unknown;
        if (context.InputInts(Block) is { } block)
        {
            node.Expect(block.Length == image.Length && Array.TrueForAll(block, length => length >= 1), $"block_shape is [{string.Join(", ", block)}], expected {image.Length} lengths of 1 or more");
            long taps = Product(node, block);
            channels = x?[1].Map(columns => columns / taps) ?? Dim.Unknown;
            if (x is not null) Check(node, x, image, block, taps);
        }
        context.SetOutput(0, context.InputType(0), [x?[0] ?? Dim.Unknown, channels, .. image]);
    }

    public void Evaluate(EvaluationContext context)
    {
        if (!Converted.ThroughFloat32(context, this)) ElementDispatch.Number(context.Node, context.Input(0).Type, new Action(context, this));
    }

    /// <summary>The columns of the gradient's image: a convolution of each plane by kernels that pick one tap.</summary>
    public void Gradient(GradientContext context)
    {
        if (!context.Needs(0) || context.OutputGradient() is not { } gradient) return;
        long[] block = context.Node.KnownInts(Block);
        int taps = (int)Product(context.Node, block);
        float[] picks = [.. Enumerable.Range(0, taps * taps).Select(i => i % (taps + 1) == 0 ? 1f : 0f)];
        var attributes = new Attributes { { "pads", Window.Pads ?? new long[2 * block.Length] } };
        if (Window.Strides is { } strides) attributes.Add("strides", strides);
        if (Window.Dilations is { } dilations) attributes.Add("dilations", dilations);
        Value shape = gradient.Integers("plane", -1, 1).Apply("Concat", new Attributes { { "axis", 0 } }, gradient.Lengths(2, block.Length + 2));
        Value columns = gradient.Apply("Reshape", shape).Apply("Conv", attributes, gradient.Numbers("picks", new Shape([taps, 1, .. block]), picks));
        context.SetInputGradient(0, columns.ToShapeOf(context.Input(0)));
    }

    private void Check(Node node, SymbolicShape x, Dim[] image, long[] block, long taps)
    {
        node.Expect(!x[1].IsKnown || x[1].Length % taps == 0, $"input {x} has {x[1]} rows, which a block of {taps} does not divide");
        if (!Array.TrueForAll(image, length => length.IsKnown)) return;
        long positions = Product(node, Axes(node, Array.ConvertAll(image, length => length.Length), block).Select(axis => (long)axis.Out));
        node.Expect(x[2].MayEqual(positions), $"input {x} has {x[2]} positions, but blocks take {positions} in the image");
    }

    private static long Product(Node node, IEnumerable<long> lengths)
    {
        long product = 1;
        foreach (long length in lengths)
        {
            node.Expect(length <= int.MaxValue && product * length <= int.MaxValue, $"image_shape and block_shape take more than {int.MaxValue} elements");
            product *= length;
        }
        return product;
    }

    private WindowAxis[] Axes(Node node, long[] image, long[] block)
    {
        Window.CheckLists(node, image.Length);
        var axes = new WindowAxis[image.Length];
        for (int axis = 0; axis < axes.Length; axis++) axes[axis] = Window.Axis(node, axis, image[axis], block[axis]);
        return axes;
    }

    private readonly struct Action(EvaluationContext context, Col2Im settings) : INumberAction
    {
        public void Run<T>() where T : unmanaged, INumber<T>
        {
            Tensor columns = context.Input(0), output = context.Output(0);
            WindowAxis[] axes = settings.Axes(context.Node, context.Node.ReadInts(context.Input(Image)), context.Node.ReadInts(context.Input(Block)));
            Span<T> x = columns.Span<T>(), y = output.Span<T>();
            y.Clear();
            int plane = (int)output.Shape.CountOf(2, output.Rank), positions = (int)columns.Shape[2], taps = 1;
            foreach (WindowAxis axis in axes) taps *= axis.Kernel;
            for (int tap = 0; tap < taps; tap++)
            {
                for (int position = 0; position < positions; position++)
                {
                    int at = Place(axes, tap, position);
                    for (int c = 0; at >= 0 && c < output.Shape[0] * output.Shape[1]; c++) y[c * plane + at] += x[(c * taps + tap) * positions + position];
                }
            }
        }

        /// <summary>Where a tap of the block at a position lies in the plane; -1 in the padding.</summary>
        private static int Place(WindowAxis[] axes, int tap, int position)
        {
            int place = 0, step = 1;
            for (int d = axes.Length - 1; d >= 0; d--)
            {
                (tap, int k) = Math.DivRem(tap, axes[d].Kernel);
                (position, int o) = Math.DivRem(position, axes[d].Out);
                int at = axes[d].Position(o, k);
                if (at < 0 || at >= axes[d].In) return -1;
                (place, step) = (place + at * step, step * axes[d].In);
            }
            return place;
        }
    }
}
