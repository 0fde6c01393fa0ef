using Fewbit.Graphs.Operators;
using Fewbit.Tensors;

namespace Fewbit.Graphs.Execution;

/// <summary>Every call of an operator goes through here: sizes and types that no tensor can have are the model's fault, so the error names the node.</summary>
internal static class OperatorCalls
{
    /// <summary>Infers the outputs of a node.</summary>
    /// <exception cref="InvalidDataException">The node cannot take its inputs.</exception>
    public static void Infer(Node node, IInferenceSource source)
    {
        try
        {
            node.Operator.Infer(new InferenceContext(node, source));
        }
        catch (Exception e) when (IsModelsFault(e))
        {
            throw Refuse(node, e);
        }
    }

    /// <summary>Computes the outputs of a node.</summary>
    /// <exception cref="InvalidDataException">The node cannot take its inputs.</exception>
    public static void Evaluate(Node node, EvaluationContext context)
    {
        if (context.HasNothingToCompute) return;
        try
        {
            node.Operator.Evaluate(context);
        }
        catch (Exception e) when (IsModelsFault(e))
        {
            throw Refuse(node, e);
        }
    }

    /// <summary>Prepares a node of a plan; null where there is nothing to prepare.</summary>
    /// <exception cref="InvalidDataException">The node cannot take its inputs.</exception>
    public static IKernel? Compile(Node node, CompilationContext context)
    {
        try
        {
            return node.Operator is ICompiledOperator compiled && !MixesHalf(node, context) ? compiled.Compile(context) : null;
        }
        catch (Exception e) when (IsModelsFault(e))
        {
            throw Refuse(node, e);
        }
    }

    /// <summary>Runs what a node of a plan prepared.</summary>
    /// <exception cref="InvalidDataException">The node cannot take its inputs.</exception>
    public static void Run(IKernel kernel, EvaluationContext context)
    {
        try
        {
            kernel.Run(context);
        }
        catch (Exception e) when (IsModelsFault(e))
        {
            throw Refuse(context.Node, e);
        }
    }

    /// <summary>The shape as numbers.</summary>
    /// <exception cref="InvalidDataException">The number of elements leaves 63 bits.</exception>
    public static Shape ToShape(Node node, SymbolicShape shape)
    {
        try
        {
            return shape.ToShape();
        }
        catch (OverflowException e)
        {
            throw node.Fail($"gives an output of shape {shape}, more elements than 63 bits count", e);
        }
    }

    /// <summary>Kernels read their inputs as one type; where a 16-bit one is among others the operator converts them first.</summary>
    private static bool MixesHalf(Node node, CompilationContext context)
    {
        (bool hasHalf, bool hasOther) = (false, false);
        for (int i = 0; i < node.Inputs.Count; i++)
        {
            if (!context.HasInput(i)) continue;
            ElementType type = context.InputType(i);
            hasHalf |= Converted.IsHalf(type);
            hasOther |= type is ElementType.Float32 or ElementType.Float64;
        }
        return hasHalf && hasOther;
    }

    /// <summary>Sizes beyond 63 bits or below 0, and element types that a conversion or a code reader does not know.</summary>
    private static bool IsModelsFault(Exception error) => error is OverflowException or NegativeLengthException or TensorFormException or NotSupportedException;

    private static InvalidDataException Refuse(Node node, Exception error) => error switch
    {
        NegativeLengthException negative => node.Fail($"gives a dimension of length {negative.Length}, expected 0 or more", error),
        TensorFormException or NotSupportedException => node.Fail($"{error.Message}; it does not take inputs of these types and shapes", error),
        _ => node.Fail("its inputs and attributes ask for sizes beyond 63 bits", error),
    };
}
