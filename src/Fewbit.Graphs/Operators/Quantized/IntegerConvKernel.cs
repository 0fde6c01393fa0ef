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
    /// <summary>Checks what the kernels read by address: zero points, scales and bias, one or one for each column or channel of the result.</summary>
    /// <exception cref="InvalidDataException">One of them has another type or number of elements.</exception>
    public void Expect(CompilationContext context, long columns)
    {
        ElementType weight = context.InputType(W);
        ExpectParameter(context, WZeroPoint, "zero point of the weight", type => type == weight, columns);
        ExpectParameter(context, WScale, "scale of the weight", ElementTypes.IsFloat, columns);
        ExpectParameter(context, XZeroPoint, "zero point of the input", ElementTypes.IsInteger, 1);
        ExpectParameter(context, XScale, "scale of the input", ElementTypes.IsFloat, 1);
        ExpectParameter(context, YZeroPoint, "zero point of the result", type => type.Is8Bit(), 1);
        ExpectParameter(context, YScale, "scale of the result", ElementTypes.IsFloat, 1);
        if (Bias < 0 || !context.HasInput(Bias)) return;
        bool fits = context.InputType(Bias) == ElementType.Int32 && context.InputShape(Bias).ElementCount == columns;
        context.Node.Expect(fits, $"the bias is {context.InputType(Bias).Name()} {context.InputShape(Bias)}, expected {columns} int32 numbers");
    }

    private static void ExpectParameter(CompilationContext context, int index, string name, Predicate<ElementType> accepts, long columns)
    {
        if (index < 0 || !context.HasInput(index)) return;
        (ElementType type, long count) = (context.InputType(index), context.InputShape(index).ElementCount);
        context.Node.Expect(accepts(type) && (count == 1 || count == columns), $"the {name} is {type.Name()} {context.InputShape(index)}, expected {(columns == 1 ? "one number" : $"one number or {columns}")} of a fitting type");
    }

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
        inputs.Expect(context, shape.OutChannels);
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
