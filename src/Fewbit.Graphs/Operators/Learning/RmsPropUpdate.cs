using System.Numerics;

namespace Fewbit.Graphs.Operators;

/// <summary>
/// One step of RMSprop: inputs parameter, mean square, velocity, gradient, and [rate]; outputs the first three anew.
/// g' = g + WeightDecay * p; s' = Alpha * s + (1 - Alpha) * g'²; v' = Momentum * v + g' / (sqrt(s') + Epsilon); p' = p - rate * v'.
/// </summary>
/// <param name="Alpha">Share of the mean square that stays.</param>
/// <param name="Momentum">Share of the velocity that stays; with 0 the velocity may be left out.</param>
/// <param name="Epsilon">Added to the root of the mean square.</param>
/// <param name="WeightDecay">Factor of the parameter that is added to its gradient.</param>
/// <remarks>Hinton, lecture 6e of "Neural Networks for Machine Learning", 2012, as PyTorch applies it, not centred.</remarks>
internal sealed record RmsPropUpdate(float Alpha, float Momentum, float Epsilon, float WeightDecay) : IUpdateOperator
{
    public static RmsPropUpdate Parse(Node node)
    {
        var update = new RmsPropUpdate(node.Float("alpha", 0.99f), node.Float("momentum", 0), node.Float("epsilon", 1e-8f), node.Float("weight_decay", 0));
        node.Expect(update.Momentum == 0 || node.Input(2) is not null, $"has momentum {update.Momentum}, but no velocity (input 2)");
        return update;
    }

    public void Infer(InferenceContext context)
    {
        context.Node.ExpectInputs(2, 5);
        context.Node.Expect(context.Node.Input(3) is not null && context.Node.Input(4) is not null, $"has {context.Node.Inputs.Count} inputs, expected gradient and rate as inputs 3 and 4");
        for (int i = 0; i < 3; i++) context.SetOutput(i, context.InputType(0), context.InputShape(0));
    }

    public int UpdatedInput(int output) => output;

    public void Evaluate(EvaluationContext context)
    {
        ReadOnlySpan<float> parameter = context.Input(0).Span<float>(), square = context.Input(1).Span<float>(), gradient = context.Input(3).Span<float>();
        ReadOnlySpan<float> velocity = context.FindInput(2) is { } old ? old.Span<float>() : default;
        Span<float> newParameter = context.Output(0).Span<float>(), newSquare = context.Output(1).Span<float>();
        Span<float> newVelocity = velocity.IsEmpty ? default : context.Output(2).Span<float>();
        float rate = context.Input(4).Item<float>();
        int i = 0;
        for (; i <= gradient.Length - Vector<float>.Count; i += Vector<float>.Count)
        {
            Vector<float> p = new(parameter[i..]), g = new Vector<float>(gradient[i..]) + p * WeightDecay;
            Vector<float> s = new Vector<float>(square[i..]) * Alpha + g * g * (1 - Alpha), step = g / (Vector.SquareRoot(s) + new Vector<float>(Epsilon));
            if (!velocity.IsEmpty)
            {
                step += new Vector<float>(velocity[i..]) * Momentum;
                step.CopyTo(newVelocity[i..]);
            }
            s.CopyTo(newSquare[i..]);
            (p - step * rate).CopyTo(newParameter[i..]);
        }
        for (; i < gradient.Length; i++)
        {
            float p = parameter[i], g = gradient[i] + p * WeightDecay, s = square[i] * Alpha + g * g * (1 - Alpha), step = g / (MathF.Sqrt(s) + Epsilon);
            if (!velocity.IsEmpty) newVelocity[i] = step += velocity[i] * Momentum;
            (newSquare[i], newParameter[i]) = (s, p - step * rate);
        }
    }
}
