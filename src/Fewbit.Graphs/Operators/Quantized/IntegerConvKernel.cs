using Fewbit.Tensors;
using Fewbit.Tensors.Kernels;

namespace Fewbit.Graphs.Operators.Quantized;

/// <summary>Where a convolution or product of codes finds its inputs.</summary>
/// <param name="X">Codes on the left.</param>
/// <param name="XScale">Their scale; -1 where sums are wanted.</param>
/// <param name="XZeroPoint">Their zero point.</param>
/// <param name="W">Codes of the weight.</param>
/// <param name="WScale">Their scales.</param>
/// <param name="WZeroPoint">Their zero points.</param>
/// <param name="YScale">Scale of the result; -1 where the result is real or sums are wanted.</param>
/// <param name="YZeroPoint">Zero point of the result.</param>
/// <param name="Bias">int32 bias; -1 for none.</param>
internal readonly record struct ProductInputs(int X, int XScale, int XZeroPoint, int W, int WScale, int WZeroPoint, int YScale, int YZeroPoint, int Bias)
{
    /// <summary>The factors of the sums, in float32 from left to right: alpha * sx * sw, then / sy where the result has a scale.</summary>
    public float[] Factors(EvaluationContext context, float alpha = 1)
    {
        if (XScale < 0) return [1];
        float x = alpha * context.Scalar(XScale);
        float[] factors = Array.ConvertAll(context.Scales(WScale), scale => x * scale);
        if (YScale < 0 || context.FindInput(YScale) is null) return factors;
        float y = context.Scalar(YScale);
        return Array.ConvertAll(factors, factor => factor / y);
    }
}

/// <summary>A convolution of codes in one or two dimensions on the packed 8-bit kernels.</summary>
internal sealed unsafe class IntegerConvKernel : IKernel
{
    private readonly Conv2DShape _shape;
    private readonly ProductInputs _inputs;
    private readonly Tensor? _packed;

    /// <param name="context">The node's constants: a constant weight is packed here, once.</param>
    /// <param name="shape">All lengths.</param>
    /// <param name="inputs">Places of the inputs.</param>
    public IntegerConvKernel(CompilationContext context, Conv2DShape shape, ProductInputs inputs)
    {
        (_shape, _inputs) = (shape, inputs);
        Tensor? zeroPoint = context.HasInput(inputs.WZeroPoint) ? context.Constant(inputs.WZeroPoint) : null;
        if (context.Constant(inputs.W) is not { } weight || context.HasInput(inputs.WZeroPoint) && zeroPoint is null) return;
        string zeroPoints = zeroPoint is null ? "" : Convert.ToHexString(zeroPoint.Bytes);
        _packed = CompilationContext.Derive(weight, ("Int8Conv2D", shape with { Batch = 1 }, zeroPoints, KernelPaths.Active), tensor => Pack(tensor, zeroPoint));
    }

    /// <summary>Whether the kernels take these types and this geometry.</summary>
    public static bool Fits(CompilationContext context, ConvGeometry shape, ProductInputs inputs) =>
        shape.IsPlanar && context.InputType(inputs.X).Is8Bit() && context.InputType(inputs.W).Is8Bit();

    public void Run(EvaluationContext context)
    {
        (Tensor x, Tensor y) = (context.Input(_inputs.X), context.Output(0));
        float[] factors = _inputs.Factors(context);
        long packedBytes = _packed is null ? (Int8Conv2D.PackedWeightBytes(_shape) + 63) / 64 * 64 : 0;
        byte* scratch = (byte*)context.Scratch(packedBytes + Int8Conv2D.ScratchBytes(_shape));
        void* packed = _packed is null ? scratch : _packed.Address;
        if (_packed is null) Pack(context.Input(_inputs.W), context.FindInput(_inputs.WZeroPoint), packed);
        var input = new Int8Input(context.ZeroPoint(_inputs.XZeroPoint), x.Type == ElementType.Int8);
        fixed (float* scales = factors)
        {
            var target = new Requantization { Output = Outputs.Of(y.Type), Scales = scales, IsPerChannel = factors.Length > 1, ZeroPoint = _inputs.YZeroPoint < 0 ? 0 : context.ZeroPoint(_inputs.YZeroPoint) };
            if (_inputs.Bias >= 0 && context.FindInput(_inputs.Bias) is { } bias) target.Bias = (int*)bias.Address;
            Int8Conv2D.Run(_shape, x.Address, input, packed, target, y.Address, scratch + packedBytes);
        }
    }

    private Tensor Pack(Tensor weight, Tensor? zeroPoint)
    {
        Tensor packed = Tensor.AllocateUninitialized(ElementType.UInt8, [Int8Conv2D.PackedWeightBytes(_shape)]);
        Pack(weight, zeroPoint, packed.Address);
        return packed;
    }

    private void Pack(Tensor weight, Tensor? zeroPoint, void* packed)
    {
        Int8Conv2D.PackWeights(_shape, Outputs.Weights(weight, zeroPoint), packed);
        GC.KeepAlive(weight);
        GC.KeepAlive(zeroPoint);
    }
}

/// <summary>Descriptions of tensors for the 8-bit kernels.</summary>
internal static unsafe class Outputs
{
    public static Int8Output Of(ElementType type) => type switch
    {
        ElementType.UInt8 => Int8Output.UInt8,
        ElementType.Int8 => Int8Output.Int8,
        ElementType.Int32 => Int8Output.Int32,
        _ => Int8Output.Float,
    };

    public static Int8Weights Weights(Tensor weight, Tensor? zeroPoint) => new()
    {
        Data = weight.Address,
        IsSigned = weight.Type == ElementType.Int8,
        ZeroPoints = zeroPoint is null ? null : zeroPoint.Address,
        IsPerChannel = zeroPoint?.ElementCount > 1,
    };
}
