using System.Numerics.Tensors;
using Fewbit.Tensors.Kernels;

namespace Fewbit.Graphs.Operators;

/// <summary>dx of a convolution of one or two dimensions in float32; with a bias, a transposed convolution. Inputs dy, w and optionally the bias; or dy, w, the shape of x and optionally what is added.</summary>
internal sealed unsafe class PlanarConvBackwardDataKernel(Conv2DShape shape, bool hasBias) : IKernel
{
    public void Run(EvaluationContext context)
    {
        var epilogue = new Epilogue();
        if (hasBias && context.FindInput(2) is { } bias) epilogue.RowBias = (float*)bias.Address;
        void* scratch = context.Scratch(Conv2DBackwardData.ScratchBytes(shape));
        Conv2DBackwardData.Run(shape, (float*)context.Input(0).Address, (float*)context.Input(1).Address, epilogue, (float*)context.Output(0).Address, scratch);
        if (!hasBias && context.FindInput(3) is { } added)
        {
            Span<float> dx = context.Output(0).Span<float>();
            TensorPrimitives.Add(dx, added.Span<float>(), dx);
        }
    }

    /// <summary>True where these kernels serve: not where an output padding of a stride or more leaves rows that no window reaches.</summary>
    public static bool Fits(ConvGeometry geometry)
    {
        if (!geometry.IsPlanar) return false;
        Conv2DShape shape = geometry.ToPlanar();
        return shape.OutHeight == geometry.Axes[1].Out && shape.OutWidth == geometry.Axes[2].Out;
    }
}

/// <summary>dw of a convolution of one or two dimensions in float32. Inputs x and dy.</summary>
internal sealed unsafe class PlanarConvBackwardWeightsKernel(Conv2DShape shape) : IKernel
{
    public void Run(EvaluationContext context)
    {
        void* scratch = context.Scratch(Conv2DBackwardWeights.ScratchBytes(shape));
        Conv2DBackwardWeights.Run(shape, (float*)context.Input(0).Address, (float*)context.Input(1).Address, (float*)context.Output(0).Address, scratch);
    }
}
