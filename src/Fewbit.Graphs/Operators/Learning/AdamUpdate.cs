using System.Numerics;

namespace Fewbit.Graphs.Operators;

/// <summary>One step of Adam: inputs parameter, first moment, second moment, gradient, and [rate, 1 - Beta1^t, 1 - Beta2^t]; outputs the first three anew.</summary>
/// <param name="Beta1">Decay of the first moment.</param>
/// <param name="Beta2">Decay of the second moment.</param>
/// <param name="Epsilon">Added to the root of the second moment.</param>
/// <remarks>Kingma and Ba, "Adam: A Method for Stochastic Optimization", 2015, arXiv:1412.6980; the corrections are applied as PyTorch does.</remarks>
internal sealed record AdamUpdate(float Beta1, float Beta2, float Epsilon) : IUpdateOperator
{
    public static AdamUpdate Parse(Node node) => new(node.Float("beta1", 0.9f), node.Float("beta2", 0.999f), node.Float("epsilon", 1e-8f));

    public void Infer(InferenceContext context)
    {
        context.Node.ExpectInputs(5, 5);
        for (int i = 0; i < 3; i++) context.SetOutput(i, context.InputType(0), context.InputShape(0));
    }

    public int UpdatedInput(int output) => output;

    public void Evaluate(EvaluationContext context)
    {
        ReadOnlySpan<float> parameter = context.Input(0).Span<float>(), first = context.Input(1).Span<float>(), second = context.Input(2).Span<float>();
        ReadOnlySpan<float> gradient = context.Input(3).Span<float>(), step = context.Input(4).Span<float>();
        Span<float> newParameter = context.Output(0).Span<float>(), newFirst = context.Output(1).Span<float>(), newSecond = context.Output(2).Span<float>();
        float size = step[0] / step[1], root = 1 / MathF.Sqrt(step[2]);
        int i = 0;
        for (; i <= gradient.Length - Vector<float>.Count; i += Vector<float>.Count)
        {
            Vector<float> g = new(gradient[i..]);
            Vector<float> m = new Vector<float>(first[i..]) * Beta1 + g * (1 - Beta1), v = new Vector<float>(second[i..]) * Beta2 + g * g * (1 - Beta2);
            m.CopyTo(newFirst[i..]);
            v.CopyTo(newSecond[i..]);
            (new Vector<float>(parameter[i..]) - m * size / (Vector.SquareRoot(v) * root + new Vector<float>(Epsilon))).CopyTo(newParameter[i..]);
        }
        for (; i < gradient.Length; i++)
        {
            float m = first[i] * Beta1 + gradient[i] * (1 - Beta1), v = second[i] * Beta2 + gradient[i] * gradient[i] * (1 - Beta2);
            (newFirst[i], newSecond[i], newParameter[i]) = (m, v, parameter[i] - m * size / (MathF.Sqrt(v) * root + Epsilon));
        }
    }
}
