namespace Fewbit.Graphs.Operators.Movement;

/// <summary>ONNX Identity: the input itself.</summary>
internal sealed record Identity : IViewOperator, IDifferentiable
{
    public void Infer(InferenceContext context)
    {
        context.Node.ExpectInputs(1, 1);
        context.SetOutput(0, context.InputType(0), context.InputShape(0));
        if (context.InputDims(0) is { } dims) context.SetOutputDims(0, dims);
    }

    public void Evaluate(EvaluationContext context) => context.Input(0).CopyTo(context.Output(0));

    public void Gradient(GradientContext context)
    {
        if (context.Needs(0) && context.OutputGradient() is { } gradient) context.SetInputGradient(0, gradient);
    }
}
