using System.Numerics;
using Fewbit.Tensors;

namespace Fewbit.Graphs.Operators;

/// <summary>ONNX LpPool, opset 18, and GlobalLpPool: (sum of |x|^p)^(1/p) under each window.</summary>
/// <param name="Window">Strides, dilations, padding (zeros).</param>
/// <param name="Kernel">Lengths of the window; null: the whole plane.</param>
/// <param name="Power">p.</param>
internal sealed record LpPool(WindowAttributes Window, long[]? Kernel, long Power) : ICompiledOperator
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
