using Fewbit.Tensors;

namespace Fewbit.Graphs.Operators;

/// <summary>Checks of inputs that several operators share.</summary>
internal static class InferenceChecks
{
    /// <summary>The type of input 0, which must be a float type that every other input that is there has too.</summary>
    public static ElementType ExpectOneFloatType(this Node node, InferenceContext context, int inputs = int.MaxValue)
    {
        ElementType type = context.InputType(0);
        node.Expect(type.IsFloat() || type == ElementType.Undefined, $"does not take {type.Name()}, expected a float type");
        for (int i = 1; i < Math.Min(inputs, context.InputCount); i++)
        {
            if (!context.HasInput(i)) continue;
            ElementType other = context.InputType(i);
            node.Expect(other == type || other == ElementType.Undefined || type == ElementType.Undefined, $"input {i} is {other.Name()}, expected {type.Name()} as input 0");
        }
        return type;
    }

    /// <summary>Fails where an input that is there is not a vector of the given length.</summary>
    public static void ExpectVector(this Node node, InferenceContext context, int index, Dim length, string name)
    {
        if (!context.HasInput(index) || context.InputShape(index) is not { } shape) return;
        node.Expect(shape.Rank == 1 && shape[0].MayEqual(length), $"{name} has shape {shape}, expected [{length}]");
    }
}
