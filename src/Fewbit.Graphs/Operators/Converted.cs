using Fewbit.Tensors;

namespace Fewbit.Graphs.Operators;

/// <summary>Runs an operator on tensors of a wider type than those it was given: one place instead of a path an operator.</summary>
internal static class Converted
{
    /// <summary>Float16 and bfloat16 are computed in float32 and rounded once; false where no such tensor is there.</summary>
    public static bool ThroughFloat32(EvaluationContext context, IOperator op) => 
        Run(context, op, IsHalf, ElementType.Float32, half => Casting.Convert(half, ElementType.Float32), Casting.Convert);

    /// <summary>As <see cref="ThroughFloat32"/>, for floats of 8 and 4 bits too.</summary>
    public static bool NarrowThroughFloat32(EvaluationContext context, IOperator op) =>
        Run(context, op, type => IsHalf(type) || SmallFloats.Contains(type), ElementType.Float32, narrow => Casting.Convert(narrow, ElementType.Float32), Casting.Convert);

    /// <summary>Float32 beside float64 is computed in float64 and rounded once; false where all are of one type.</summary>
    public static bool ThroughFloat64(EvaluationContext context, IOperator op)
    {
        bool isMixed = NarrowType(context, type => type == ElementType.Float32) != ElementType.Undefined && NarrowType(context, type => type == ElementType.Float64) != ElementType.Undefined;
        return isMixed && Run(context, op, type => type == ElementType.Float32, ElementType.Float64, narrow => Casting.Convert(narrow, ElementType.Float64), Casting.Convert);
    }

    /// <summary>Bool is computed as bytes of 0 and 1; false where no such tensor is there.</summary>
    public static bool ThroughBytes(EvaluationContext context, IOperator op) =>
        Run(context, op, type => type == ElementType.Bool, ElementType.UInt8, flags => flags.View(ElementType.UInt8, flags.Shape, 0), (bytes, flags) => Casting.Convert(bytes, flags));

    /// <summary>True where inputs differ in type or are of 16 bits: there is no kernel, the operator is evaluated on converted tensors.</summary>
    public static bool MustConvert(CompilationContext context)
    {
        ElementType first = context.InputType(0);
        return IsHalf(first) || Enumerable.Range(1, context.Node.Inputs.Count - 1).Any(i => context.HasInput(i) && context.InputType(i).IsFloat() && context.InputType(i) != first);
    }

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
