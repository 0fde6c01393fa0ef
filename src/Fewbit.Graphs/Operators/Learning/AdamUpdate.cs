using System.Numerics;

namespace Fewbit.Graphs.Operators;

/// <summary>One step of Adam: inputs parameter, first moment, second moment, gradient, and [rate, 1 - Beta1^t, 1 - Beta2^t]; outputs the first three anew.</summary>
/// <param name="Beta1">Decay of the first moment.</param>
/// <param name="Beta2">Decay of the second moment.</param>
/// <param name="Epsilon">Added to the root of the second moment.</param>
/// <param name="WeightDecay">Factor of the parameter that is added to its gradient or, decoupled, taken from the parameter: p *= 1 - rate * WeightDecay.</param>
/// <param name="IsDecoupled">Whether the decay passes by the moments (AdamW).</param>
/// <remarks>
/// Kingma and Ba, "Adam: A Method for Stochastic Optimization", 2015, arXiv:1412.6980; Loshchilov and Hutter, "Decoupled Weight Decay Regularization", 2019,
/// arXiv:1711.05101. The corrections are applied as PyTorch does.
/// </remarks>
internal sealed record AdamUpdate(float Beta1, float Beta2, float Epsilon, float WeightDecay, bool IsDecoupled) : IUpdateOperator
{
    public static AdamUpdate Parse(Node node) => new(node.Float("beta1", 0.9f), node.Float("beta2", 0.999f), node.Float("epsilon", 1e-8f),
        node.Float("weight_decay", 0), node.Int("decoupled", 0) != 0);

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
        (float decay, float kept) = IsDecoupled ? (0f, 1 - step[0] * WeightDecay) : (WeightDecay, 1f);
        int i = 0;
        for (; i <= gradient.Length - Vector<float>.Count; i += Vector<float>.Count)
        {
            Vector<float> p = new(parameter[i..]), g = new Vector<float>(gradient[i..]) + p * decay;
            Vector<float> m = new Vector<float>(first[i..]) * Beta1 + g * (1 - Beta1), v = new Vector<float>(second[i..]) * Beta2 + g * g * (1 - Beta2);
            m.CopyTo(newFirst[i..]);
            v.CopyTo(newSecond[i..]);
            (p * kept - m * size / (Vector.SquareRoot(v) * root + new Vector<float>(Epsilon))).CopyTo(newParameter[i..]);
        }
        for (; i < gradient.Length; i++)
        {
            float p = parameter[i], g = gradient[i] + p * decay, m = first[i] * Beta1 + g * (1 - Beta1), v = second[i] * Beta2 + g * g * (1 - Beta2);
            (newFirst[i], newSecond[i], newParameter[i]) = (m, v, p * kept - m * size / (MathF.Sqrt(v) * root + Epsilon));
        }
    }
}
