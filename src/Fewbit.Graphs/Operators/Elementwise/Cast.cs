using Fewbit.Tensors;

namespace Fewbit.Graphs.Operators.Elementwise;

/// <summary>ONNX Cast and CastLike, opset 25: each element in another type.</summary>
/// <param name="To">The type; Undefined where it is that of input 1 (CastLike).</param>
/// <param name="Options">What happens where a small float cannot hold the number.</param>
internal sealed record Cast(ElementType To, CastOptions Options) : IDifferentiable
{
    public static Cast Parse(Node node)
    {
        var to = (ElementType)node.Int("to");
        node.Expect(Casting.Supports(to), $"casts to {to.Name()}, which is no number type of this engine");
        return new(to, ParseOptions(node));
    }

    public static Cast ParseLike(Node node) => new(ElementType.Undefined, ParseOptions(node));

    public void Infer(InferenceContext context)
    {
        int inputs = To == ElementType.Undefined ? 2 : 1;
        context.Node.ExpectInputs(inputs, inputs);
        context.ExpectType(0, Casting.Supports, "numbers or bool");
        ElementType type = inputs == 2 ? context.InputType(1) : To;
        context.Node.Expect(type == ElementType.Undefined || Casting.Supports(type), $"casts to {type.Name()}, which is no number type of this engine");
        context.SetOutput(0, type, context.InputShape(0));
        if (type is ElementType.Int64 or ElementType.Int32 && context.InputDims(0) is { } dims) context.SetOutputDims(0, dims);
    }

    public void Evaluate(EvaluationContext context) => Casting.Convert(context.Input(0), context.Output(0), Options);

    public void Gradient(GradientContext context)
    {
        if (context.Needs(0) && context.Output().Type.IsFloat() && context.OutputGradient() is { } gradient)
        {
            context.SetInputGradient(0, gradient.Apply("Cast", new Attributes { { "to", (long)context.Input(0).Type } }));
        }
    }

    private static CastOptions ParseOptions(Node node) => new(node.Int("saturate", 1) != 0, node.String("round_mode", "up") switch
    {
        "up" => PowerRounding.Up,
        "down" => PowerRounding.Down,
        "nearest" => PowerRounding.Nearest,
        var other => throw node.Fail($"round_mode is '{other}', expected up, down or nearest"),
    });
}
