using System.Numerics;
using Fewbit.Tensors;
using Fewbit.Tensors.Kernels;

namespace Fewbit.Graphs.Operators;

/// <summary>A convolution of one or two dimensions in float32.</summary>
internal sealed unsafe class PlanarConvKernel : IKernel
{
    private readonly Conv2DShape _shape;
    private readonly Activation _activation;
    private readonly Tensor? _packed;

    /// <param name="shape">All lengths.</param>
    /// <param name="activation">Applied last.</param>
    /// <param name="weight">The weight where it is constant: it is packed here, once.</param>
    public PlanarConvKernel(Conv2DShape shape, Activation activation, Tensor? weight)
    {
        (_shape, _activation) = (shape, activation);
        if (weight is not null) _packed = CompilationContext.Derive(weight, ("Conv2D", shape.Groups, KernelPaths.Active), Pack);
    }

    public void Run(EvaluationContext context)
    {
        long packedBytes = _packed is null ? (Conv2D.PackedWeightBytes(_shape) + 63) / 64 * 64 : 0;
        byte* scratch = (byte*)context.Scratch(packedBytes + Conv2D.ScratchBytes(_shape));
        float* packed = _packed is null ? (float*)scratch : (float*)_packed.Address;
        if (_packed is null) Conv2D.PackWeights(_shape, (float*)context.Input(1).Address, packed);
        Conv2D.Run(_shape, (float*)context.Input(0).Address, packed, ConvKernels.EpilogueOf(context, _activation), (float*)context.Output(0).Address, scratch + packedBytes);
    }

    private Tensor Pack(Tensor weight)
    {
        Tensor packed = Tensor.AllocateUninitialized(ElementType.UInt8, [Conv2D.PackedWeightBytes(_shape)]);
        Conv2D.PackWeights(_shape, (float*)weight.Address, (float*)packed.Address);
        GC.KeepAlive(weight);
        return packed;
    }
}

/// <summary>A 3x3 convolution with constant weights by Winograd's transform.</summary>
internal sealed unsafe class WinogradConvKernel : IKernel
{
    private readonly Conv2DShape _shape;
    private readonly Activation _activation;
    private readonly Tensor _packed;

    public WinogradConvKernel(Conv2DShape shape, Activation activation, Tensor weight)
    {
        (_shape, _activation) = (shape, activation);
        _packed = CompilationContext.Derive(weight, ("WinogradConv2D", KernelPaths.Active), source =>
        {
            Tensor packed = Tensor.AllocateUninitialized(ElementType.UInt8, [WinogradConv2D.PackedWeightBytes(shape)]);
            WinogradConv2D.PackWeights(shape, (float*)source.Address, (float*)packed.Address);
            GC.KeepAlive(source);
            return packed;
        });
    }

    public void Run(EvaluationContext context) =>
        WinogradConv2D.Run(_shape, (float*)context.Input(0).Address, (float*)_packed.Address, ConvKernels.EpilogueOf(context, _activation), (float*)context.Output(0).Address, context.Scratch(WinogradConv2D.ScratchBytes(_shape)));
}

/// <summary>A convolution whose kernel covers the image: y [N, M] = x [N, C * plane] * w', the weight as it lies.</summary>
internal sealed unsafe class ProductConvKernel(ConvGeometry shape, Activation activation, Tensor? weight) : IKernel
{
    private readonly int _inner = checked(shape.InChannels * shape.Taps);
    private readonly Tensor? _packed = weight is null || shape.Batch == 1 ? null : PackedRight.Of(weight, shape.OutChannels, checked(shape.InChannels * shape.Taps), true);

    public void Run(EvaluationContext context)
    {
        GemmProblem problem = GemmProblem.Dense(shape.Batch, shape.OutChannels, _inner, (float*)context.Input(0).Address, (float*)context.Input(1).Address, (float*)context.Output(0).Address, transposeB: true);
        if (_packed is not null) problem.PackedB = PackedRight.View(_packed, shape.OutChannels, _inner);
        problem.Epilogue.Activation = activation;
        if (context.FindInput(2) is { } bias) problem.Epilogue.ColumnBias = (float*)bias.Address;
        if (context.FindInput(3) is { } residual) problem.Epilogue.Residual = (float*)residual.Address;
        Gemm.Run(problem, context.Scratch(Gemm.ScratchBytes(problem)));
    }
}

/// <summary>A convolution by its definition: float64, and three dimensions.</summary>
internal sealed class ReferenceConvKernel<T>(ConvGeometry shape, Activation activation) : IKernel where T : unmanaged, IBinaryFloatingPointIeee754<T>
{
    public void Run(EvaluationContext context)
    {
        Span<T> y = context.Output(0).Span<T>();
        ConvKernels.FillBias(y, context.FindInput(2), shape.OutChannels, shape.OutPlane);
        ConvReference.Accumulate<T, ConvReference.ToOutput>(shape, context.Input(0).Span<T>(), context.Input(1).Span<T>(), y);
        if (context.FindInput(3) is { } residual)
        {
            Span<T> added = residual.Span<T>();
            for (int i = 0; i < y.Length; i++) y[i] += added[i];
        }
        if (activation.Kind != ActivationKind.None)
        {
            for (int i = 0; i < y.Length; i++) y[i] = FusedActivation.Apply(activation, y[i]);
        }
    }
}

/// <summary>Small parts that convolution kernels share.</summary>
internal static unsafe class ConvKernels
{
    /// <summary>Bias (input 2), residual (input 3) and activation as a kernel's epilogue.</summary>
    public static Epilogue EpilogueOf(EvaluationContext context, Activation activation)
    {
        var epilogue = new Epilogue { Activation = activation };
        if (context.FindInput(2) is { } bias) epilogue.RowBias = (float*)bias.Address;
        if (context.FindInput(3) is { } residual) epilogue.Residual = (float*)residual.Address;
        return epilogue;
    }

    /// <summary>Sets each plane of [N, M, plane] to its channel's bias, or to 0.</summary>
    public static void FillBias<T>(Span<T> y, Tensor? bias, int channels, long plane) where T : unmanaged
    {
        if (bias is null)
        {
            y.Clear();
            return;
        }
        Span<T> b = bias.Span<T>();
        for (int i = 0, at = 0; at < y.Length; i++, at += (int)plane) y.Slice(at, (int)plane).Fill(b[i % channels]);
    }

    /// <summary>The attribute kernel_shape only repeats what the weight's shape says.</summary>
    public static void CheckKernelShape(Node node, SymbolicShape weight)
    {
        if (node.Ints("kernel_shape") is not { } stated) return;
        node.Expect(stated.Length == weight.Rank - 2, $"kernel_shape is [{string.Join(", ", stated)}], but the weight is {weight}");
        for (int i = 0; i < stated.Length; i++) node.Expect(weight[i + 2].MayEqual(stated[i]), $"kernel_shape is [{string.Join(", ", stated)}], but the weight is {weight}");
    }
}
