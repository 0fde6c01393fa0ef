using Fewbit.Tensors;
using Fewbit.Tensors.Kernels;

namespace Fewbit.Graphs.Operators;

/// <summary>dx of a convolution in blocks of channels. Inputs dy in blocks, w row-major, the shape of x, and optionally what is added, in blocks.</summary>
internal sealed unsafe class BlockedConvBackwardDataKernel(Conv2DShape shape, bool allowsWinograd) : IKernel
{
    /// <exception cref="InvalidDataException">The node writes blocks, but no kernel of the active path does.</exception>
    public static BlockedConvBackwardDataKernel Create(Node node, Conv2DShape shape, bool allowsWinograd)
    {
        node.Expect(BlockedConvBackwardData.Fits(shape), $"writes blocks of channels, which kernel path '{KernelPaths.Active}' cannot; prepare the graph for the path that runs it");
        return new(shape, allowsWinograd);
    }

    public void Run(EvaluationContext context)
    {
        void* scratch = context.Scratch(BlockedConvBackwardData.ScratchBytes(shape, allowsWinograd));
        float* added = context.FindInput(3) is { } tensor ? (float*)tensor.Address : null;
        BlockedConvBackwardData.Run(shape, allowsWinograd, (float*)context.Input(0).Address, (float*)context.Input(1).Address, added, (float*)context.Output(0).Address, scratch);
    }
}

/// <summary>dw of a convolution. Inputs x and dy, both in blocks of channels; dw is row-major.</summary>
internal sealed unsafe class BlockedConvBackwardWeightsKernel(Conv2DShape shape) : IKernel
{
    /// <exception cref="InvalidDataException">The node reads blocks, but no kernel of the active path does.</exception>
    public static BlockedConvBackwardWeightsKernel Create(Node node, Conv2DShape shape)
    {
        node.Expect(BlockedConvBackwardWeights.Fits(shape), $"reads blocks of channels, which kernel path '{KernelPaths.Active}' cannot; prepare the graph for the path that runs it");
        return new(shape);
    }

    public void Run(EvaluationContext context)
    {
        void* scratch = context.Scratch(BlockedConvBackwardWeights.ScratchBytes(shape));
        BlockedConvBackwardWeights.Run(shape, (float*)context.Input(0).Address, (float*)context.Input(1).Address, (float*)context.Output(0).Address, scratch);
    }
}
