using System.Numerics;
using Fewbit.Tensors;

namespace Fewbit.Graphs.Operators.Elementwise;

/// <summary>ONNX Sum, Mean, Min, Max: one function over any number of broadcast inputs, from the first to the last.</summary>
/// <param name="IsMean">Whether the result is divided by the number of inputs.</param>
internal sealed record Variadic<TFunction>(bool IsMean = false) : IDifferentiable, IInPlaceOperator where TFunction : struct, IBinaryFunction
{
    public void Infer(InferenceContext context)
    {
        context.Node.ExpectInputs(1, int.MaxValue);
        int[] all = [.. Enumerable.Range(0, context.InputCount)];
        foreach (int index in all) context.Node.Expect(context.HasInput(index), $"input {index} is left out, but it is required");
        context.InferBroadcast(context.ExpectOneType(all), all);
    }

    public void Evaluate(EvaluationContext context)
    {
        if (Converted.ThroughFloat32(context, this)) return;
        ElementDispatch.Number(context.Node, context.Input(0).Type, new Action(context, IsMean));
    }

    // The first two inputs are read before the output is used as a sum.
    public bool CanOverwrite(int index) => index < 2;

    public void Gradient(GradientContext context)
    {
        if (context.OutputGradient() is not { } gradient) return;
        if (IsMean) gradient = gradient * (1f / context.Node.Inputs.Count);
        Value? ties = null;
        for (int i = 0; i < context.Node.Inputs.Count; i++)
        {
            if (!context.Needs(i)) continue;
            Value share = typeof(TFunction) == typeof(AddFunction) ? gradient : gradient * Taken(context, i) / (ties ??= Ties(context));
            context.SetInputGradient(i, share.SumToShapeOf(context.Input(i)));
        }
    }

    /// <summary>1 where an input is the extremum that was taken, 0 elsewhere.</summary>
    private static Value Taken(GradientContext context, int index) => context.Output().Apply("Equal", context.Input(index)).Apply("CastLike", context.Output());

    private static Value Ties(GradientContext context)
    {
        Value ties = Taken(context, 0);
        for (int i = 1; i < context.Node.Inputs.Count; i++) ties += Taken(context, i);
        return ties;
    }

    private readonly struct Action(EvaluationContext context, bool isMean) : INumberAction
    {
        public void Run<T>() where T : unmanaged, INumber<T>
        {
            Tensor output = context.Output(0);
            if (context.InputCount == 1)
            {
                context.Input(0).CopyTo(output);
                return;
            }
            Broadcasting.Run<T, T, ArithmeticKernel<T, TFunction>>(context, context.Input(0), context.Input(1));
            for (int i = 2; i < context.InputCount; i++) Broadcasting.Run<T, T, ArithmeticKernel<T, TFunction>>(context, output, context.Input(i));
            if (isMean) Broadcasting.Run<T, T, ArithmeticKernel<T, DivideFunction>>(context, output, Tensor.Scalar(T.CreateTruncating(context.InputCount)));
        }
    }
}
