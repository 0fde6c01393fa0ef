using Fewbit.Tensors;
using Fewbit.Tensors.Kernels;

namespace Fewbit.Graphs.Operators;

/// <summary>A two-dimensional convolution that writes blocks of channels.</summary>
internal sealed unsafe class BlockedConvKernel<TRoute> : IKernel where TRoute : struct, IBlockedRoute
{
    private readonly Conv2DShape _shape;
    private readonly Activation _activation;
    private readonly Tensor? _packed, _bias;
    private readonly long _weightBytes, _biasBytes;

    /// <param name="shape">All lengths.</param>
    /// <param name="activation">Applied last.</param>
    /// <param name="weight">The weight where it is constant: it is packed here, once.</param>
    /// <param name="bias">The bias where it is constant: it is filled up to whole blocks here, once.</param>
    public BlockedConvKernel(Conv2DShape shape, Activation activation, Tensor? weight, Tensor? bias)
    {
        (_shape, _activation) = (shape, activation);
        _biasBytes = ChannelBlocks.Floats(1, shape.OutChannels, 1) * sizeof(float);
        _weightBytes = (TRoute.PackedWeightBytes(shape) + 63) / 64 * 64;
        if (weight is not null) _packed = CompilationContext.Derive(weight, (typeof(TRoute), TRoute.PackingKey(shape), KernelPaths.Active), PackWeights);
        if (bias is not null) _bias = shape.OutChannels % ChannelBlocks.Width == 0 ? bias : CompilationContext.Derive(bias, nameof(FillBias), FillBias);
    }

    public void Run(EvaluationContext context)
    {
        long filledBytes = _bias is null && context.FindInput(2) is not null ? _biasBytes : 0;
        byte* scratch = (byte*)context.Scratch(filledBytes + (_packed is null ? TRoute.ScratchOnceBytes(_shape) : TRoute.ScratchBytes(_shape)));
        var epilogue = new BlockedEpilogue { Activation = _activation, Bias = _bias is null ? null : (float*)_bias.Address };
        if (filledBytes > 0)
        {
            epilogue.Bias = (float*)scratch;
            Fill(context.Input(2), epilogue.Bias);
        }
        if (context.FindInput(3) is { } residual) epilogue.Residual = (float*)residual.Address;
        float* x = (float*)context.Input(0).Address, y = (float*)context.Output(0).Address;
        if (_packed is null) TRoute.RunOnce(_shape, x, (float*)context.Input(1).Address, epilogue, y, scratch + filledBytes);
        else TRoute.Run(_shape, x, (float*)_packed.Address, epilogue, y, scratch + filledBytes);
    }

    private Tensor PackWeights(Tensor weight)
    {
        Tensor packed = Tensor.AllocateUninitialized(ElementType.UInt8, [_weightBytes]);
        TRoute.PackWeights(_shape, (float*)weight.Address, (float*)packed.Address);
        GC.KeepAlive(weight);
        return packed;
    }

    private Tensor FillBias(Tensor bias)
    {
        Tensor filled = Tensor.AllocateUninitialized(ElementType.UInt8, [_biasBytes]);
        Fill(bias, (float*)filled.Address);
        return filled;
    }

    private void Fill(Tensor bias, float* to)
    {
        var filled = new Span<float>(to, (int)(_biasBytes / sizeof(float)));
        filled.Clear();
        bias.Span<float>().CopyTo(filled);
    }
}
