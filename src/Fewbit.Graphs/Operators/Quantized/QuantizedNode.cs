using Fewbit.Tensors;
using Fewbit.Tensors.Kernels;

namespace Fewbit.Graphs.Operators.Quantized;

/// <summary>Reads what quantized operators share: scales and zero points among the inputs.</summary>
internal static class QuantizedNode
{
    /// <summary>The one scale and zero point at two input places; a zero point that is left out is 0.</summary>
    public static CodeScale CodeScale(this EvaluationContext context, int scale, int zeroPoint) => new(context.Scalar(scale), context.ZeroPoint(zeroPoint));

    /// <summary>The scales of a weight: one, or one a channel.</summary>
    public static float[] Scales(this EvaluationContext context, int index)
    {
        Tensor tensor = context.Input(index);
        context.Node.Expect(tensor.Type.IsFloat(), $"input {index} (a scale) is {tensor}, expected real numbers");
        return Floats.Read(tensor);
    }

    /// <summary>The zero points of a weight: one, or one a channel.</summary>
    public static int[] ZeroPoints(this EvaluationContext context, int index) =>
        context.FindInput(index) is { } tensor ? Codes.Read(tensor) : [0];

    /// <summary>The one scale at an input place.</summary>
    public static float Scalar(this EvaluationContext context, int index)
    {
        Tensor tensor = context.Input(index);
        context.Node.Expect(tensor.ElementCount == 1 && tensor.Type.IsFloat(), $"input {index} (a scale) is {tensor}, expected one real number");
        return Floats.Read(tensor)[0];
    }

    /// <summary>The one zero point at an input place; 0 where it is left out.</summary>
    public static int ZeroPoint(this EvaluationContext context, int index)
    {
        if (context.FindInput(index) is not { } tensor) return 0;
        context.Node.Expect(tensor.ElementCount == 1, $"input {index} (a zero point) is {tensor}, expected one element");
        return Codes.Read(tensor)[0];
    }
}
