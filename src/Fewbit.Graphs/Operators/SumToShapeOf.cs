using System.Numerics;
using Fewbit.Tensors;

namespace Fewbit.Graphs.Operators;

/// <summary>Sums input 0 over the dimensions in which input 1 was broadcast to it: the gradient of broadcasting.</summary>
internal sealed record SumToShapeOf : IDifferentiable
{
    public void Infer(InferenceContext context)
    {
        context.Node.ExpectInputs(2, 2);
        context.SetOutput(0, context.InputType(0), context.InputShape(1));
    }

    public void Evaluate(EvaluationContext context)
    {
        switch (context.Input(0).Type)
        {
            case ElementType.Float32: Run<float>(context); break;
            case ElementType.Float64: Run<double>(context); break;
            default: throw context.Node.Fail($"does not take {context.Input(0).Type.Name()}");
        }
    }

    public void Gradient(GradientContext context)
    {
        if (!context.Needs(0) || context.OutputGradient() is not { } gradient) return;
        context.SetInputGradient(0, gradient.Apply("Expand", context.Input(0).Apply("Shape")));
    }

    private static void Run<T>(EvaluationContext context) where T : unmanaged, IBinaryFloatingPointIeee754<T>
    {
        (Tensor input, Tensor output) = (context.Input(0), context.Output(0));
        Span<T> x = input.Span<T>(), sum = output.Span<T>();
        sum.Clear();
        var walk = new BroadcastWalk(input.Shape, output.Shape, output.Shape);
        for (int i = 0; i < x.Length; i++)
        {
            sum[(int)walk.A] += x[i];
            walk.Next();
        }
    }
}
