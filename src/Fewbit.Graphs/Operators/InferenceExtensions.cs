using Fewbit.Tensors;

namespace Fewbit.Graphs.Operators;

/// <summary>Checks and rules of inference that several operators share.</summary>
internal static class InferenceExtensions
{
    /// <summary>The type that the named inputs share; Undefined while unknown.</summary>
    public static ElementType ExpectOneType(this InferenceContext context, params ReadOnlySpan<int> inputs)
    {
        ElementType type = ElementType.Undefined;
        foreach (int index in inputs)
        {
            ElementType other = context.InputType(index);
            if (type == ElementType.Undefined) type = other;
            context.Node.Expect(other == ElementType.Undefined || other == type, $"takes inputs of one type, but {context.Node.Input(inputs[0])} meets {context.Node.Input(index)}");
        }
        return type;
    }

    /// <summary>Fails unless the input's type is unknown yet or accepted.</summary>
    public static void ExpectType(this InferenceContext context, int index, Predicate<ElementType> accepts, string expected)
    {
        ElementType type = context.InputType(index);
        context.Node.Expect(type == ElementType.Undefined || accepts(type), $"input {index} is {context.Node.Input(index)}, expected {expected}");
    }

    /// <summary>Output 0 has the shape that the named inputs broadcast to.</summary>
    public static void InferBroadcast(this InferenceContext context, ElementType type, params ReadOnlySpan<int> inputs) =>
        context.SetOutput(0, type, context.BroadcastShape(inputs));

    /// <summary>The shape that the named inputs broadcast to; null while a rank is unknown.</summary>
    public static SymbolicShape? BroadcastShape(this InferenceContext context, params ReadOnlySpan<int> inputs)
    {
        SymbolicShape? shape = [];
        foreach (int index in inputs)
        {
            if (context.InputShape(index) is not { } next) return null;
            SymbolicShape? joint = SymbolicShape.Broadcast(shape, next);
            context.Node.Expect(joint is not null, $"inputs of shape {shape} and {next} do not broadcast");
            shape = joint!;
        }
        return shape;
    }

    /// <summary>Output 0 is as input 0: type, shape, and the lengths it holds.</summary>
    public static void InferLikeInput(this InferenceContext context) => context.SetOutput(0, context.InputType(0), context.InputShape(0));
}
