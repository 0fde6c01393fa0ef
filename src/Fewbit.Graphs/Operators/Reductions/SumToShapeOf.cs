using System.Numerics;
using Fewbit.Graphs.Operators.Elementwise;
using Fewbit.Tensors;

namespace Fewbit.Graphs.Operators.Reductions;

/// <summary>Sums input 0 over the dimensions in which input 1 was broadcast to it: the gradient of broadcasting.</summary>
internal sealed record SumToShapeOf : IDifferentiable
{
    public void Infer(InferenceContext context)
    {
        context.Node.ExpectInputs(2, 2);
        context.SetOutput(0, context.InputType(0), context.InputShape(1));
    }

    public void Evaluate(EvaluationContext context) => ElementDispatch.Real(context.Node, context.Input(0).Type, new Action(context));

    public void Gradient(GradientContext context)
    {
        if (!context.Needs(0) || context.OutputGradient() is not { } gradient) return;
        context.SetInputGradient(0, gradient.Apply("Expand", context.Input(0).Apply("Shape")));
    }

    private readonly struct Action(EvaluationContext context) : IRealAction
    {
        public void Run<T>() where T : unmanaged, IBinaryFloatingPointIeee754<T>
        {
            (Tensor input, Tensor output) = (context.Input(0), context.Output(0));
            Span<T> x = input.Span<T>(), sum = output.Span<T>();
            sum.Clear();
            var loops = new BroadcastLoops(context.Node, input.Shape, output.Shape, output.Shape);
            for (int i = 0; i < x.Length;)
            {
                int run = (int)loops.RunLength;
                for (int j = 0; j < run; j++) sum[(int)(loops.A + j * loops.StepA)] += x[i + j];
                loops.Advance(run);
                i += run;
            }
        }
    }
}
