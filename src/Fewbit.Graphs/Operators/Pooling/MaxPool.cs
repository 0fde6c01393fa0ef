using System.Numerics;
using Fewbit.Tensors;

namespace Fewbit.Graphs.Operators;

/// <summary>ONNX MaxPool, opset 12: the largest element under each window, and optionally where it lies.</summary>
/// <param name="Window">Strides, dilations, padding (which counts as minus infinity).</param>
/// <param name="Kernel">Lengths of the window.</param>
/// <param name="IsColumnMajor">Whether positions count columns first (storage_order 1).</param>
internal sealed record MaxPool(WindowAttributes Window, long[] Kernel, bool IsColumnMajor) : ICompiledOperator, IDifferentiable
{
    public static MaxPool Parse(Node node) => new(WindowAttributes.Parse(node), PoolInference.Kernel(node), node.Int("storage_order", 0) != 0);

    public void Infer(InferenceContext context)
    {
        context.Node.ExpectInputs(1, 1);
        SymbolicShape? shape = PoolInference.Output(context, Window, Kernel);
        context.SetOutput(0, context.InputType(0), shape);
        context.SetOutput(1, ElementType.Int64, shape);
    }

    public void Evaluate(EvaluationContext context) => this.PrepareAndRun(context);

    public IKernel? Compile(CompilationContext context)
    {
        PoolGeometry shape = PoolGeometry.Of(context.Node, Window, Kernel, context.InputShape(0));
        bool hasPositions = context.Node.Outputs.Count > 1;
        if (context.Node.Inputs[0]!.Layout == Layout.ChannelBlocks16) return BlockedPoolKernel.Of(shape, context.InputShape(0), isMaximum: true, countsPad: false);
        return context.InputType(0) switch
        {
            ElementType.Float32 when shape.IsPlanar && !hasPositions => new PlanarPoolKernel(shape, isMaximum: true, countsPad: false),
            ElementType.Float32 => new Reference<float>(shape, IsColumnMajor),
            ElementType.Float64 => new Reference<double>(shape, IsColumnMajor),
            ElementType.UInt8 when shape.IsPlanar && !hasPositions => new CodeMaxPoolKernel<byte>(shape),
            ElementType.Int8 when shape.IsPlanar && !hasPositions => new CodeMaxPoolKernel<sbyte>(shape),
            ElementType.UInt8 => new Reference<byte>(shape, IsColumnMajor),
            ElementType.Int8 => new Reference<sbyte>(shape, IsColumnMajor),
            ElementType other => context.Node.NoKernel(other),
        };
    }

    public void Gradient(GradientContext context)
    {
        if (!context.Needs(0) || context.OutputGradient() is not { } gradient) return;
        context.SetInputGradient(0, gradient.Apply(OperatorTable.FewbitDomain, "MaxPoolScatter", MaxPoolRoute.AttributesOf(context.Node), context.Input(0)));
    }

    private sealed class Reference<T>(PoolGeometry shape, bool isColumnMajor) : IKernel where T : unmanaged, INumber<T>
    {
        public void Run(EvaluationContext context)
        {
            Tensor positions = context.HasOutput(1) ? context.Output(1) : Tensor.AllocateUninitialized(ElementType.Int64, context.Output(0).Shape);
            for (int plane = 0; plane < shape.Planes; plane++) RunPlane(context, positions, plane);
        }

        private void RunPlane(EvaluationContext context, Tensor positions, int plane) => shape.ForEachWindow((at, window) =>
        {
            ReadOnlySpan<T> x = context.Input(0).Span<T>().Slice(plane * shape.InPlane, shape.InPlane);
            int best = MaxPoolRoute.Largest(window, x);
            int output = plane * shape.OutPlane + at;
            context.Output(0).Span<T>()[output] = best < 0 ? T.Zero : x[best];
            positions.Span<long>()[output] = (long)plane * shape.InPlane + (isColumnMajor ? ByColumns(best) : best);
        });

        private int ByColumns(int position)
        {
            (int rows, int columns) = (shape.Axes[1].In, shape.Axes[2].In);
            (int slice, int rest) = Math.DivRem(position, rows * columns);
            return slice + shape.Axes[0].In * (rest / columns + rows * (rest % columns));
        }
    }
}

/// <summary>ai.fewbit MaxPoolScatter(dy, x) adds each output's gradient where its maximum lay (the first of equal ones); MaxPoolGather(g, x) reads there. Each is the other's adjoint.</summary>
internal sealed record MaxPoolRoute(WindowAttributes Window, long[] Kernel, bool Scatters) : ICompiledOperator, IDifferentiable
{
    public static MaxPoolRoute Parse(Node node, bool scatters) => new(WindowAttributes.Parse(node), PoolInference.Kernel(node), scatters);

    public static Attributes AttributesOf(Node pool)
    {
        var attributes = new Attributes();
        foreach ((string name, object value) in pool.Attributes)
        {
            if (name != "storage_order") attributes.Add(name, value);
        }
        return attributes;
    }

    /// <summary>Position in the plane of the first largest element under a window; -1 where the window lies in the padding.</summary>
    public static int Largest<T>(WindowRange window, ReadOnlySpan<T> x) where T : unmanaged, INumber<T>
    {
        int best = -1;
        foreach (int position in window.Positions())
        {
            if (best < 0 || x[position] > x[best] || T.IsNaN(x[position])) best = position;
        }
        return best;
    }

    public void Infer(InferenceContext context)
    {
        context.Node.ExpectInputs(2, 2);
        context.SetOutput(0, context.InputType(0), Scatters ? context.InputShape(1) : PoolInference.Output(context, Window, Kernel));
    }

    public void Evaluate(EvaluationContext context) => this.PrepareAndRun(context);

    public IKernel? Compile(CompilationContext context)
    {
        PoolGeometry shape = PoolGeometry.Of(context.Node, Window, Kernel, context.InputShape(1));
        if (context.Node.Inputs[1]!.Layout == Layout.ChannelBlocks16) return BlockedPoolGradientKernel.Of(shape, context.InputShape(1), isMaximum: true, countsPad: false);
        return context.InputType(0) switch
        {
            ElementType.Float32 => Route<float>(shape),
            ElementType.Float64 => Route<double>(shape),
            ElementType other => context.Node.NoKernel(other),
        };
    }

    private IKernel Route<T>(PoolGeometry shape) where T : unmanaged, INumber<T> => Scatters
        ? new PoolRouteKernel<T, ScatterToMaxima>(shape, countsPad: false, readsImage: true)
        : new PoolRouteKernel<T, GatherFromMaxima>(shape, countsPad: false, readsImage: true);

    public void Gradient(GradientContext context)
    {
        if (!context.Needs(0) || context.OutputGradient() is not { } gradient) return;
        context.SetInputGradient(0, gradient.Apply(OperatorTable.FewbitDomain, Scatters ? "MaxPoolGather" : "MaxPoolScatter", AttributesOf(context.Node), context.Input(1)));
    }
}
