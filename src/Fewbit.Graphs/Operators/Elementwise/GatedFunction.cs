using System.Numerics;
using Fewbit.Tensors;

namespace Fewbit.Graphs.Operators.Elementwise;

/// <summary>ONNX SwiGLU and GeGLU, opset 28: a function of a, times b.</summary>
/// <param name="Function">The function.</param>
internal sealed record GatedFunction<TFunction>(TFunction Function) : IDifferentiable where TFunction : unmanaged, IUnaryFunction
{
    public void Infer(InferenceContext context)
    {
        context.Node.ExpectInputs(2, 2);
        context.InferBroadcast(context.Node.ExpectOneFloatType(context), 0, 1);
    }

    public void Evaluate(EvaluationContext context)
    {
        if (!Converted.ThroughFloat32(context, this)) ElementDispatch.Real(context.Node, context.Input(0).Type, new Action(context, Function));
    }

    public void Gradient(GradientContext context) => CompositeGradient.Apply(context, inputs => [FunctionNodes.Of(Function, inputs[0]!) * inputs[1]!]);

    private readonly struct Action(EvaluationContext context, TFunction function) : IRealAction
    {
        public void Run<T>() where T : unmanaged, IBinaryFloatingPointIeee754<T>
        {
            (Tensor a, Tensor b, Tensor output) = (context.Input(0), context.Input(1), context.Output(0));
            Span<T> gates = a.Span<T>(), factors = b.Span<T>(), y = output.Span<T>();
            var walk = new BroadcastWalk(output.Shape, a.Shape, b.Shape);
            foreach (ref T element in y)
            {
                element = function.Apply(gates[(int)walk.A]) * factors[(int)walk.B];
                walk.Next();
            }
        }
    }
}
