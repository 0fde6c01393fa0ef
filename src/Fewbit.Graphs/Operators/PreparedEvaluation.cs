using Fewbit.Tensors;

namespace Fewbit.Graphs.Operators;

/// <summary>Runs an operator whose work is written as a prepared kernel once, on tensors at hand.</summary>
internal static class PreparedEvaluation
{
    /// <summary>Prepares the node for these tensors, none of them constant, and runs it.</summary>
    public static void PrepareAndRun(this ICompiledOperator compiled, EvaluationContext context)
    {
        if (Converted.ThroughFloat32(context, compiled) || Converted.ThroughFloat64(context, compiled)) return;
        var compilation = new CompilationContext(context.Node, value => Describe(context, value), _ => null);
        IKernel kernel = compiled.Compile(compilation) ?? throw context.Node.Fail($"does not take inputs of these types ({string.Join(", ", Enumerable.Range(0, context.InputCount).Select(i => context.FindInput(i)?.Type.Name() ?? "none"))})");
        kernel.Run(context);
    }

    /// <summary>Null for the 16-bit float types, which are evaluated through float32.</summary>
    /// <exception cref="InvalidDataException">The operator does not take the type.</exception>
    public static IKernel? NoKernel(this Node node, ElementType type) => Converted.IsHalf(type) ? null : throw node.Fail($"does not take {type.Name()} elements");

    private static (ElementType Type, Shape Shape) Describe(EvaluationContext context, Value value)
    {
        Tensor tensor = Find(context, value) ?? throw context.ShapeUnknown(Math.Max(0, context.Node.Outputs.ToList().IndexOf(value)));
        return (tensor.Type, tensor.Shape);
    }

    private static Tensor? Find(EvaluationContext context, Value value)
    {
        for (int i = 0; i < context.InputCount; i++)
        {
            if (context.Node.Inputs[i] == value) return context.FindInput(i);
        }
        for (int i = 0; i < context.OutputCount; i++)
        {
            if (context.Node.Outputs[i] == value) return context.OutputOrNull(i);
        }
        return null;
    }
}
