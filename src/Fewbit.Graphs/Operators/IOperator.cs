namespace Fewbit.Graphs.Operators;

/// <summary>What an operator does, with its attributes parsed: one file an operator, or one a family.</summary>
public interface IOperator
{
    /// <summary>States element type and shape of each output as far as they follow from what is known of the inputs, and checks the inputs.</summary>
    void Infer(InferenceContext context);

    /// <summary>Computes the outputs. Outputs whose shape was inferred are allocated; the others are provided by the operator.</summary>
    void Evaluate(EvaluationContext context);
}

/// <summary>An operator that prepares work once per plan: packed weights, tables.</summary>
public interface ICompiledOperator : IOperator
{
    /// <summary>Makes what a plan runs instead of <see cref="IOperator.Evaluate"/>; null where there is nothing to prepare.</summary>
    IKernel? Compile(CompilationContext context);
}

/// <summary>Prepared work of one node.</summary>
public interface IKernel
{
    /// <summary>Computes the outputs.</summary>
    void Run(EvaluationContext context);
}

/// <summary>An operator whose first output holds the bytes of its first input under another shape: a plan copies nothing.</summary>
public interface IViewOperator : IOperator;

/// <summary>An operator that may write its first output over an input of the same size, once nothing else reads that input.</summary>
public interface IInPlaceOperator : IOperator
{
    /// <summary>Whether output 0 may lie where input <paramref name="index"/> lies.</summary>
    bool CanOverwrite(int index);
}

/// <summary>An operator that computes new contents of some of its inputs, element by element: such an output may lie where its input lies, if nothing reads that later.</summary>
public interface IUpdateOperator : IOperator
{
    /// <summary>The input that output <paramref name="output"/> may be written over; -1 where there is none.</summary>
    int UpdatedInput(int output);
}

/// <summary>An operator with a gradient rule.</summary>
public interface IDifferentiable : IOperator
{
    /// <summary>Adds nodes that compute the gradient of each input that needs one.</summary>
    void Gradient(GradientContext context);
}
