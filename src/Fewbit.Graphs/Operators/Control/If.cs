using Fewbit.Tensors;

namespace Fewbit.Graphs.Operators.Control;

/// <summary>ONNX If: the outputs of one of two graphs, by a condition.</summary>
/// <param name="Then">Runs where the condition is true.</param>
/// <param name="Else">Runs where it is false.</param>
internal sealed record If(Graph Then, Graph Else) : IDifferentiable
{
    public static If Parse(Node node)
    {
        (Graph then, Graph otherwise) = (node.Subgraph("then_branch"), node.Subgraph("else_branch"));
        foreach (Graph branch in (Graph[])[then, otherwise])
        {
            node.Expect(branch.Inputs.Count == 0, $"branch '{branch.Name}' has {branch.Inputs.Count} inputs, expected none: it reads the values around it");
            node.Expect(branch.Outputs.Count >= node.Outputs.Count, $"branch '{branch.Name}' has {branch.Outputs.Count} outputs, expected {node.Outputs.Count}");
        }
        return new(then, otherwise);
    }

    public void Infer(InferenceContext context)
    {
        context.Node.ExpectInputs(1, 1);
        context.ExpectType(0, type => type == ElementType.Bool, "bool");
        if (context.InputTensor(0) is { } condition)
        {
            State(context, context.InferBody(Branch(context.Node, condition), []));
            return;
        }
        (ValueFacts[]? then, ValueFacts[]? otherwise) = (InferBranch(context, Then), InferBranch(context, Else));
        if (then is null || otherwise is null) return;
        State(context, [.. then.Zip(otherwise, (a, b) => a.Join(b))]);
    }

    public void Evaluate(EvaluationContext context)
    {
        Tensor[] results = context.RunBody(Branch(context.Node, context.Input(0)), []);
        for (int i = 0; i < context.OutputCount; i++) context.Provide(i, results[i]);
    }

    public void Gradient(GradientContext context) => ControlGradient.OfBranches(context, Then, Else);

    private Graph Branch(Node node, Tensor condition)
    {
        node.Expect(condition.Type == ElementType.Bool && condition.ElementCount == 1, $"the condition is {condition}, expected one bool");
        return condition.Item<bool>() ? Then : Else;
    }

    /// <summary>What is known of a branch; null where the shapes that reach it do not suit it, since a branch that is not taken need not be valid.</summary>
    private static ValueFacts[]? InferBranch(InferenceContext context, Graph branch)
    {
        try
        {
            return context.InferBody(branch, []);
        }
        catch (InvalidDataException)
        {
            return null;
        }
    }

    private static void State(InferenceContext context, ValueFacts[]? outputs)
    {
        for (int i = 0; i < (outputs is null ? 0 : context.Node.Outputs.Count); i++) context.SetOutput(i, outputs![i].Type, outputs[i].Shape);
    }
}
