using Fewbit.Tensors;
using Fewbit.Tensors.Kernels;

namespace Fewbit.Graphs.Operators;

/// <summary>dx of a convolution in blocks of channels. Inputs dy in blocks, w row-major, the shape of x, and optionally what is added, in blocks.</summary>
internal sealed unsafe class BlockedConvBackwardDataKernel : IKernel
{
    private readonly Conv2DShape _shape;
    private readonly bool _allowsWinograd;

    /// <exception cref="InvalidDataException">The node writes blocks, but no kernel of the active path does.</exception>
    public BlockedConvBackwardDataKernel(Node node, Conv2DShape shape, bool allowsWinograd)
    {
        (_shape, _allowsWinograd) = (shape, allowsWinograd);
        node.Expect(BlockedConvBackwardData.Fits(shape), $"writes blocks of channels, which kernel path '{KernelPaths.Active}' cannot; prepare the graph for the path that runs it");
    }

    public void Run(EvaluationContext context)
    {
        void* scratch = context.Scratch(BlockedConvBackwardData.ScratchBytes(_shape, _allowsWinograd));
        float* added = context.FindInput(3) is { } tensor ? (float*)tensor.Address : null;
        BlockedConvBackwardData.Run(_shape, _allowsWinograd, (float*)context.Input(0).Address, (float*)context.Input(1).Address, added, (float*)context.Output(0).Address, scratch);
    }
}

/// <summary>dw of a convolution, row-major. Inputs x, in blocks of channels or in a few row-major planes, and dy in blocks.</summary>
internal sealed unsafe class BlockedConvBackwardWeightsKernel : IKernel
{
    private readonly Conv2DShape _shape;
    private readonly bool _readsPlanes, _allowsWinograd;

    /// <exception cref="InvalidDataException">The node reads blocks, but no kernel of the active path does.</exception>
    public BlockedConvBackwardWeightsKernel(Node node, Conv2DShape shape, bool allowsWinograd)
    {
        (_shape, _readsPlanes, _allowsWinograd) = (shape, node.Inputs[0]!.Layout == Layout.RowMajor, allowsWinograd);
        node.Expect(_readsPlanes ? PlanarConvBackwardWeights.Fits(shape) : BlockedConvBackwardWeights.Fits(shape), $"reads blocks of channels, which kernel path '{KernelPaths.Active}' cannot; prepare the graph for the path that runs it");
    }

    public void Run(EvaluationContext context)
    {
        float* x = (float*)context.Input(0).Address, dy = (float*)context.Input(1).Address, dw = (float*)context.Output(0).Address;
        if (_readsPlanes) PlanarConvBackwardWeights.Run(_shape, x, dy, dw, context.Scratch(PlanarConvBackwardWeights.ScratchBytes(_shape)));
        else BlockedConvBackwardWeights.Run(_shape, _allowsWinograd, x, dy, dw, context.Scratch(BlockedConvBackwardWeights.ScratchBytes(_shape, _allowsWinograd)));
    }
}
