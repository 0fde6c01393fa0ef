using Fewbit.Tensors;

namespace Fewbit.Graphs.Operators;

/// <summary>Runs an operator on tensors of a wider type than those it was given: one place instead of a path an operator.</summary>
internal static class Converted
{
    /// <summary>Float16 and bfloat16 are computed in float32 and rounded once; false where no such tensor is there.</summary>
    public static bool ThroughFloat32(EvaluationContext context, IOperator op) => 
        Run(context, op, IsHalf, ElementType.Float32, half => Casting.Convert(half, ElementType.Float32), Casting.Convert);

    /// <summary>Elements that share bytes are moved as one byte each; false where no such tensor is there.</summary>
    public static bool Unpacked(EvaluationContext context, IOperator op) => 
        Run(context, op, ElementTypes.IsPacked, ElementType.UInt8, PackedElements.Unpack, PackedElements.Pack);

    /// <summary>True for the 16-bit floating-point types.</summary>
    public static bool IsHalf(ElementType type) => type is ElementType.Float16 or ElementType.BFloat16;

    private static bool Run(EvaluationContext context, IOperator op, Predicate<ElementType> isNarrow, ElementType wide, Func<Tensor, Tensor> widen, Action<Tensor, Tensor> narrow)
    {
        ElementType type = NarrowType(context, isNarrow);
        if (type == ElementType.Undefined) return false;
        var inputs = new Tensor?[context.InputCount];
        for (int i = 0; i < inputs.Length; i++) inputs[i] = context.FindInput(i) is { } input && isNarrow(input.Type) ? widen(input) : context.FindInput(i);
        var outputs = new Tensor?[context.OutputCount];
        for (int i = 0; i < outputs.Length; i++) outputs[i] = context.OutputOrNull(i) is { } output && isNarrow(output.Type) ? Tensor.AllocateUninitialized(wide, output.Shape) : context.OutputOrNull(i);
        var inner = new EvaluationContext(context.Node, inputs, outputs, new ScratchSpace());
        op.Evaluate(inner);
        for (int i = 0; i < outputs.Length; i++)
        {
            if (inner.OutputOrNull(i) is not { } result || result == context.OutputOrNull(i)) continue;
            // An output without an inferred shape is of the narrow type where it comes back wide.
            if (!context.HasOutput(i)) context.Provide(i, result.Type == wide ? Tensor.AllocateUninitialized(type, result.Shape) : result);
            if (isNarrow(context.Output(i).Type)) narrow(result, context.Output(i));
        }
        return true;
    }

    private static ElementType NarrowType(EvaluationContext context, Predicate<ElementType> isNarrow)
    {
        for (int i = 0; i < context.InputCount; i++)
        {
            if (context.FindInput(i) is { } input && isNarrow(input.Type)) return input.Type;
        }
        for (int i = 0; i < context.OutputCount; i++)
        {
            if (context.OutputOrNull(i) is { } output && isNarrow(output.Type)) return output.Type;
        }
        return ElementType.Undefined;
    }
}
