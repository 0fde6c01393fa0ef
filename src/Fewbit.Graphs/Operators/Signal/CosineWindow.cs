using Fewbit.Tensors;

namespace Fewbit.Graphs.Operators.Signal;

/// <summary>ONNX HannWindow, HammingWindow and BlackmanWindow, opset 17: A - B * cos(2 pi n / N) + C * cos(4 pi n / N).</summary>
/// <param name="A">Constant term.</param>
/// <param name="B">Factor of one turn.</param>
/// <param name="C">Factor of two turns.</param>
/// <param name="IsPeriodic">Whether N is the size; otherwise the size - 1, so that the ends are equal.</param>
/// <param name="Type">Element type of the window.</param>
internal sealed record CosineWindow(double A, double B, double C, bool IsPeriodic, ElementType Type) : IOperator
{
    public static CosineWindow Parse(Node node, double a, double b, double c) =>
        new(a, b, c, node.Int("periodic", 1) != 0, (ElementType)node.Int("output_datatype", (long)ElementType.Float32));

    public void Infer(InferenceContext context)
    {
        Node node = context.Node;
        node.ExpectInputs(1, 1);
        node.Expect(Casting.Supports(Type), $"output_datatype is {Type.Name()}, expected a type of numbers");
        Dim length = Dim.Unknown;
        if (context.InputInts(0) is { } size)
        {
            node.Expect(size.Length == 1 && size[0] >= 0, $"size is [{string.Join(", ", size)}], expected one number of 0 or more");
            length = size[0];
        }
        else if (context.InputDims(0) is [var known])
        {
            length = known;
        }
        context.SetOutput(0, Type, [length]);
    }

    public void Evaluate(EvaluationContext context)
    {
        Tensor window = Tensor.AllocateUninitialized(ElementType.Float64, context.Output(0).Shape);
        Span<double> y = window.Span<double>();
        int period = IsPeriodic ? y.Length : Math.Max(1, y.Length - 1);
        for (int n = 0; n < y.Length; n++) y[n] = A - B * Math.Cos(2 * Math.PI * n / period) + C * Math.Cos(4 * Math.PI * n / period);
        if (!IsPeriodic && y.Length == 1) y[0] = 1; // a window of one element lets it pass
        Casting.Convert(window, context.Output(0));
    }
}
