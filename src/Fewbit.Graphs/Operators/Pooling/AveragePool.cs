using System.Numerics;
using Fewbit.Tensors;

namespace Fewbit.Graphs.Operators;

/// <summary>ONNX AveragePool, opset 19: the mean under each window.</summary>
/// <param name="Window">Strides, dilations, padding.</param>
/// <param name="Kernel">Lengths of the window.</param>
/// <param name="CountsPad">Whether padding counts as zeros; otherwise only elements of the image are averaged.</param>
internal sealed record AveragePool(WindowAttributes Window, long[] Kernel, bool CountsPad) : ICompiledOperator, IDifferentiable
{
    public static AveragePool Parse(Node node) => new(WindowAttributes.Parse(node), PoolInference.Kernel(node), node.Int("count_include_pad", 0) != 0);

    public void Infer(InferenceContext context)
    {
        context.Node.ExpectInputs(1, 1);
        context.SetOutput(0, context.Node.ExpectOneFloatType(context), PoolInference.Output(context, Window, Kernel));
    }

    public void Evaluate(EvaluationContext context) => this.PrepareAndRun(context);

    public IKernel? Compile(CompilationContext context)
    {
        PoolGeometry shape = PoolGeometry.Of(context.Node, Window, Kernel, context.InputShape(0));
        if (context.Node.Inputs[0]!.Layout == Layout.ChannelBlocks16) return BlockedPoolKernel.Of(shape, context.InputShape(0), isMaximum: false, CountsPad);
        return context.InputType(0) switch
        {
            ElementType.Float32 when shape.IsPlanar => new PlanarPoolKernel(shape, isMaximum: false, CountsPad),
            ElementType.Float32 => new Reference<float>(shape, CountsPad),
            ElementType.Float64 => new Reference<double>(shape, CountsPad),
            ElementType other => context.Node.NoKernel(other),
        };
    }

    public void Gradient(GradientContext context)
    {
        if (!context.Needs(0) || context.OutputGradient() is not { } gradient) return;
        Value x = context.Input(0);
        context.SetInputGradient(0, gradient.Apply(OperatorTable.FewbitDomain, "AveragePoolSpread", MaxPoolRoute.AttributesOf(context.Node), x.Apply("Shape")));
    }

    private sealed class Reference<T>(PoolGeometry shape, bool countsPad) : IKernel where T : unmanaged, INumber<T>
    {
        public void Run(EvaluationContext context)
        {
            for (int plane = 0; plane < shape.Planes; plane++) RunPlane(context, plane);
        }

        private void RunPlane(EvaluationContext context, int plane) => shape.ForEachWindow((at, window) =>
        {
            ReadOnlySpan<T> x = context.Input(0).Span<T>().Slice(plane * shape.InPlane, shape.InPlane);
            T sum = T.Zero;
            foreach (int position in window.Positions()) sum += x[position];
            context.Output(0).Span<T>()[plane * shape.OutPlane + at] = sum / T.CreateChecked(Math.Max(1, window.Count(countsPad)));
        });
    }
}

/// <summary>ai.fewbit AveragePoolSpread(dy, shape of x): gives each output's gradient in equal parts to the elements under its window, the adjoint of AveragePool.</summary>
internal sealed record AveragePoolSpread(WindowAttributes Window, long[] Kernel, bool CountsPad) : ICompiledOperator, IDifferentiable
{
    public static AveragePoolSpread Parse(Node node) => new(WindowAttributes.Parse(node), PoolInference.Kernel(node), node.Int("count_include_pad", 0) != 0);

    public void Infer(InferenceContext context)
    {
        context.Node.ExpectInputs(2, 2);
        context.SetOutput(0, context.InputType(0), ConvBackward.StatedShape(context, 1, context.InputShape(0)));
    }

    public void Evaluate(EvaluationContext context) => this.PrepareAndRun(context);

    public IKernel? Compile(CompilationContext context)
    {
        PoolGeometry shape = PoolGeometry.Of(context.Node, Window, Kernel, context.OutputShape(0));
        if (context.Node.Inputs[0]!.Layout == Layout.ChannelBlocks16) return BlockedPoolGradientKernel.Of(shape, context.OutputShape(0), isMaximum: false, CountsPad);
        return context.InputType(0) switch
        {
            ElementType.Float32 => new PoolRouteKernel<float, SpreadOverWindows>(shape, CountsPad, readsImage: false),
            ElementType.Float64 => new PoolRouteKernel<double, SpreadOverWindows>(shape, CountsPad, readsImage: false),
            ElementType other => context.Node.NoKernel(other),
        };
    }

    public void Gradient(GradientContext context)
    {
        if (!context.Needs(0) || context.OutputGradient() is not { } gradient) return;
        context.SetInputGradient(0, gradient.Apply("AveragePool", MaxPoolRoute.AttributesOf(context.Node)));
    }
}
