using System.Numerics;
using Fewbit.Tensors;

namespace Fewbit.Graphs.Operators;

/// <summary>ONNX LpPool, opset 18, and GlobalLpPool: (sum of |x|^p)^(1/p) under each window.</summary>
/// <param name="Window">Strides, dilations, padding (zeros).</param>
/// <param name="Kernel">Lengths of the window; null: the whole plane.</param>
/// <param name="Power">p.</param>
internal sealed record LpPool(WindowAttributes Window, long[]? Kernel, long Power) : ICompiledOperator, IDifferentiable
{
    public static LpPool Parse(Node node) => new(WindowAttributes.Parse(node), PoolInference.Kernel(node), Exponent(node));

    public static LpPool ParseGlobal(Node node) => new(new(null, null, null, AutoPad.NotSet, RoundsUp: false), null, Exponent(node));

    public void Infer(InferenceContext context)
    {
        context.Node.ExpectInputs(1, 1);
        context.SetOutput(0, context.Node.ExpectOneFloatType(context), Kernel is null ? GlobalPool.Output(context) : PoolInference.Output(context, Window, Kernel));
    }

    public void Evaluate(EvaluationContext context) => this.PrepareAndRun(context);

    public IKernel? Compile(CompilationContext context)
    {
        Shape x = context.InputShape(0);
        PoolGeometry shape = PoolGeometry.Of(context.Node, Window, Kernel ?? x.Dims[2..].ToArray(), x);
        return context.InputType(0) switch
        {
            ElementType.Float32 => new Reference<float>(shape, Power),
            ElementType.Float64 => new Reference<double>(shape, Power),
            ElementType other => context.Node.NoKernel(other),
        };
    }

    public void Gradient(GradientContext context)
    {
        CompositeGradient.Apply(context, inputs =>
        {
            Value size = inputs[0]!.Apply("Abs"), power = Power == 1 ? size : Power == 2 ? size * size : size.Apply("Pow", size.Scalar(Power));
            Value sum = Kernel is null ? SumOfPlanes(context.Node, power) : SumOfWindows(context.Node, power, Kernel);
            // At 0 the root is infinitely steep, but what comes from there is flat.
            Value isZero = sum.Apply("Equal", sum.Scalar(0)), root = isZero.Apply("Where", sum.Scalar(1), sum);
            root = Power == 1 ? root : Power == 2 ? root.Apply("Sqrt") : root.Apply("Pow", root.Scalar(1.0 / Power));
            return [isZero.Apply("Where", sum.Scalar(0), root).ToShapeOf(context.Output())];
        });
    }

    private static Value SumOfPlanes(Node node, Value x) => x.Apply("ReduceSum", x.Integers("axes", [.. Enumerable.Range(2, node.KnownRank(x) - 2).Select(axis => (long)axis)]));

    /// <summary>As a convolution of each plane by ones: [N * C, 1, spatial].</summary>
    private Value SumOfWindows(Node node, Value x, long[] kernel)
    {
        int rank = kernel.Length;
        var pads = new long[2 * rank];
        for (int axis = 0; axis < rank; axis++)
        {
            WindowAxis window = Window.Axis(node, axis, node.KnownLength(x, axis + 2), kernel[axis]);
            // Rounding up lets the last window reach beyond the padding.
            int reach = (window.Out - 1) * window.Stride + (window.Kernel - 1) * window.Dilation + 1;
            (pads[axis], pads[axis + rank]) = (window.PadBegin, Math.Max(window.PadEnd, reach - window.In - window.PadBegin));
        }
        var attributes = new Attributes { { "pads", pads } };
        if (Window.Strides is { } strides) attributes.Add("strides", strides);
        if (Window.Dilations is { } dilations) attributes.Add("dilations", dilations);
        Value planes = x.Apply("Reshape", x.Integers("plane", -1, 1).Apply("Concat", new Attributes { { "axis", 0 } }, x.Lengths(2, rank + 2)));
        float[] ones = [.. Enumerable.Repeat(1f, checked((int)kernel.Aggregate(1L, (a, b) => a * b)))];
        return planes.Apply("Conv", attributes, x.Numbers("ones", new Shape([1, 1, .. kernel]), ones));
    }

    private static long Exponent(Node node)
    {
        long power = node.Int("p", 2);
        node.Expect(power >= 1, $"p is {power}, expected 1 or more");
        return power;
    }

    private sealed class Reference<T>(PoolGeometry shape, long power) : IKernel where T : unmanaged, IBinaryFloatingPointIeee754<T>
    {
        public void Run(EvaluationContext context)
        {
            for (int plane = 0; plane < shape.Planes; plane++) RunPlane(context, plane);
        }

        private void RunPlane(EvaluationContext context, int plane) => shape.ForEachWindow((at, window) =>
        {
            ReadOnlySpan<T> x = context.Input(0).Span<T>().Slice(plane * shape.InPlane, shape.InPlane);
            T sum = T.Zero, p = T.CreateChecked(power);
            foreach (int position in window.Positions()) sum += power == 2 ? x[position] * x[position] : T.Pow(T.Abs(x[position]), p);
            context.Output(0).Span<T>()[plane * shape.OutPlane + at] = power == 1 ? sum : power == 2 ? T.Sqrt(sum) : T.Pow(sum, T.One / p);
        });
    }
}
