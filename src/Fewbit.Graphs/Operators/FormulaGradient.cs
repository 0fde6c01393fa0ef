using Fewbit.Tensors;

namespace Fewbit.Graphs.Operators;

/// <summary>The gradient rule of a fused operator, by the formula that it computes: slow, for derivatives of higher order.</summary>
internal static class FormulaGradient
{
    /// <summary>Writes the operator's outputs as a formula of simple operators, and differentiates that.</summary>
    /// <param name="context">The node.</param>
    /// <param name="inputs">Numbers of the inputs that the outputs depend on smoothly.</param>
    /// <param name="formula">Gives the outputs from these inputs; as many as the node may have.</param>
    public static void DifferentiateFormula(this GradientContext context, IReadOnlyList<int> inputs, Func<IReadOnlyList<Value>, IReadOnlyList<Value>> formula)
    {
        if (!inputs.Any(context.Needs)) return;
        // Copies, so that differentiation ends here and does not run on into what computes the inputs.
        Value[] copies = [.. inputs.Select(input => context.Input(input).Apply("Identity"))];
        IReadOnlyList<Value> outputs = formula(copies);
        Value scalar = context.Graph.AddConstant("scalar", copies[0].Type == ElementType.Float64 ? Tensor.Scalar(0.0) : Tensor.Scalar(0f));
        Value? sum = null;
        for (int i = 0; i < outputs.Count; i++)
        {
            if (context.OutputGradient(i) is not { } seed) continue;
            Value part = (outputs[i] * seed).SumToShapeOf(scalar);
            sum = sum is null ? part : sum + part;
        }
        if (sum is null) return;
        Value[] gradients = Gradients.Of(sum, copies);
        for (int i = 0; i < copies.Length; i++)
        {
            if (context.Needs(inputs[i])) context.SetInputGradient(inputs[i], gradients[i]);
        }
    }
}
