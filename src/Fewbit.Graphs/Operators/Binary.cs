using System.Numerics;
using Fewbit.Tensors;

namespace Fewbit.Graphs.Operators;

/// <summary>A function of two numbers, with its derivative as a formula over values.</summary>
internal interface IBinaryFunction
{
    static abstract T Apply<T>(T a, T b) where T : INumber<T>;

    /// <summary>Gradients of a and b, not yet summed over broadcast dimensions.</summary>
    static abstract (Value A, Value B) Gradient(Value a, Value b, Value output, Value gradient);
}

/// <summary>ONNX Add, Sub, Mul, Div: element by element, with NumPy broadcasting.</summary>
internal sealed record Binary<TFunction> : IDifferentiable, IInPlaceOperator where TFunction : struct, IBinaryFunction
{
    public void Infer(InferenceContext context)
    {
        context.Node.ExpectInputs(2, 2);
        ElementType type = context.InputType(0);
        context.Node.Expect(type == context.InputType(1), $"adds up a {type.Name()} and a {context.InputType(1).Name()} tensor, expected one type");
        (SymbolicShape? a, SymbolicShape? b) = (context.InputShape(0), context.InputShape(1));
        SymbolicShape? shape = null;
        if (a is not null && b is not null)
        {
            shape = SymbolicShape.Broadcast(a, b);
            context.Node.Expect(shape is not null, $"inputs of shape {a} and {b} do not broadcast");
        }
        context.SetOutput(0, type, shape);
    }

    public void Evaluate(EvaluationContext context)
    {
        switch (context.Input(0).Type)
        {
            case ElementType.Float32: Run<float>(context); break;
            case ElementType.Float64: Run<double>(context); break;
            case ElementType.Int64: Run<long>(context); break;
            case ElementType.Int32: Run<int>(context); break;
            default: throw context.Node.Fail($"does not take {context.Input(0).Type.Name()}");
        }
    }

    public bool CanOverwrite(int index) => true;

    public void Gradient(GradientContext context)
    {
        if (context.OutputGradient() is not { } gradient) return;
        (Value a, Value b) = TFunction.Gradient(context.Input(0), context.Input(1), context.Output(), gradient);
        if (context.Needs(0)) context.SetInputGradient(0, a.SumToShapeOf(context.Input(0)));
        if (context.Needs(1)) context.SetInputGradient(1, b.SumToShapeOf(context.Input(1)));
    }

    private static void Run<T>(EvaluationContext context) where T : unmanaged, INumber<T>
    {
        (Tensor a, Tensor b, Tensor output) = (context.Input(0), context.Input(1), context.Output(0));
        Span<T> x = a.Span<T>(), y = b.Span<T>(), z = output.Span<T>();
        var walk = new BroadcastWalk(output.Shape, a.Shape, b.Shape);
        for (int i = 0; i < z.Length; i++)
        {
            z[i] = TFunction.Apply(x[(int)walk.A], y[(int)walk.B]);
            walk.Next();
        }
    }
}

internal readonly struct AddFunction : IBinaryFunction
{
    public static T Apply<T>(T a, T b) where T : INumber<T> => a + b;

    public static (Value A, Value B) Gradient(Value a, Value b, Value output, Value gradient) => (gradient, gradient);
}

internal readonly struct SubtractFunction : IBinaryFunction
{
    public static T Apply<T>(T a, T b) where T : INumber<T> => a - b;

    public static (Value A, Value B) Gradient(Value a, Value b, Value output, Value gradient) => (gradient, -gradient);
}

internal readonly struct MultiplyFunction : IBinaryFunction
{
    public static T Apply<T>(T a, T b) where T : INumber<T> => a * b;

    public static (Value A, Value B) Gradient(Value a, Value b, Value output, Value gradient) => (gradient * b, gradient * a);
}

internal readonly struct DivideFunction : IBinaryFunction
{
    public static T Apply<T>(T a, T b) where T : INumber<T> => a / b;

    public static (Value A, Value B) Gradient(Value a, Value b, Value output, Value gradient) => (gradient / b, -(gradient * output / b));
}
