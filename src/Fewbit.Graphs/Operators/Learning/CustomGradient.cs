namespace Fewbit.Graphs.Operators;

/// <summary>Input 0 as it is; its gradient goes to the inputs behind it, as a rule says that the program gave.</summary>
/// <param name="Gradients">The rule.</param>
internal sealed record CustomGradient(CustomGradientRule Gradients) : IViewOperator, IDifferentiable
{
    /// <summary>Name of the attribute that holds the rule. No file can hold it.</summary>
    public const string Rule = "rule";

    public static CustomGradient Parse(Node node) => new(node.Attribute<CustomGradientRule>(Rule) ?? throw node.Fail("has no gradient rule: only a program can give it one"));

    public void Infer(InferenceContext context)
    {
        context.Node.ExpectInputs(2, int.MaxValue);
        context.InferLikeInput();
    }

    public void Evaluate(EvaluationContext context) => context.Input(0).CopyTo(context.Output(0));

    public void Gradient(GradientContext context)
    {
        if (context.OutputGradient() is not { } gradient) return;
        Value[] inputs = [.. Enumerable.Range(1, context.Node.Inputs.Count - 1).Select(context.Input)];
        IReadOnlyList<Value?> gradients = Gradients(new(inputs, context.Output(), gradient));
        context.Node.Expect(gradients.Count == inputs.Length, $"its rule gives {gradients.Count} gradients for {inputs.Length} inputs");
        for (int i = 0; i < inputs.Length; i++)
        {
            if (!context.Needs(i + 1) || gradients[i] is not { } own) continue;
            bool fits = own.Shape is not { } shape || inputs[i].Shape is not { } expected || (shape.Rank == expected.Rank && shape.Zip(expected).All(pair => pair.First.MayEqual(pair.Second)));
            context.Node.Expect(fits, $"its rule gives a gradient of shape {own.Shape} for input {inputs[i]}");
            context.SetInputGradient(i + 1, own);
        }
    }
}

/// <summary>Input 0 as it is, without a gradient.</summary>
internal sealed record StopGradient : IViewOperator, IDifferentiable
{
    public void Infer(InferenceContext context)
    {
        context.Node.ExpectInputs(1, 1);
        context.InferLikeInput();
    }

    public void Evaluate(EvaluationContext context) => context.Input(0).CopyTo(context.Output(0));

    public void Gradient(GradientContext context)
    {
    }
}

/// <summary>Input 0 as it is, its gradient times input 1, which broadcasts to its shape.</summary>
internal sealed record ScaleGradient : IViewOperator, IDifferentiable
{
    public void Infer(InferenceContext context)
    {
        context.Node.ExpectInputs(2, 2);
        context.ExpectOneType(0, 1);
        context.InferLikeInput();
    }

    public void Evaluate(EvaluationContext context) => context.Input(0).CopyTo(context.Output(0));

    public void Gradient(GradientContext context)
    {
        if (context.Needs(0) && context.OutputGradient() is { } gradient) context.SetInputGradient(0, gradient * context.Input(1));
    }
}
