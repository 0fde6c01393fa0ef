using Fewbit.Tensors;

namespace Fewbit.Graphs.Operators.Quantized;

/// <summary>ai.fewbit SignedCodes: uint8 codes minus 128, as int8. Gives back the codes of an int8 quantizer that runs on uint8.</summary>
internal sealed record SignedCodes : IOperator
{
    public void Infer(InferenceContext context)
    {
        context.Node.ExpectInputs(1, 1);
        context.SetOutput(0, ElementType.Int8, context.InputShape(0));
    }

    public void Evaluate(EvaluationContext context)
    {
        ReadOnlySpan<byte> x = context.Input(0).Span<byte>();
        Span<sbyte> y = context.Output(0).Span<sbyte>();
        for (int i = 0; i < y.Length; i++) y[i] = (sbyte)(x[i] - 128);
    }
}
