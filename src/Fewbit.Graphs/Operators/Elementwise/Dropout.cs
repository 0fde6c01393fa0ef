using Fewbit.Tensors;

namespace Fewbit.Graphs.Operators.Elementwise;

/// <summary>ONNX Dropout, opset 13, as inference runs it: the input itself, and a mask that is true throughout.</summary>
internal sealed record Dropout : IDifferentiable, IInPlaceOperator
{
    public void Infer(InferenceContext context)
    {
        context.Node.ExpectInputs(1, 3);
        context.InferLikeInput();
        context.SetOutput(1, ElementType.Bool, context.InputShape(0));
    }

    public void Evaluate(EvaluationContext context)
    {
        bool isTraining = context.FindInput(2) is { } mode && mode.Item<bool>();
        float ratio = context.FindInput(1) is { } given ? Casting.Convert(given, ElementType.Float32).Item<float>() : 0.5f;
        context.Node.Expect(!isTraining || ratio == 0, $"drops elements in training mode, which this engine does not run: set training_mode to false");
        if (!context.Input(0).IsAt(context.Output(0))) context.Input(0).CopyTo(context.Output(0));
        if (context.HasOutput(1)) context.Output(1).Span<bool>().Fill(true);
    }

    public bool CanOverwrite(int index) => index == 0;

    public void Gradient(GradientContext context)
    {
        if (context.Needs(0) && context.OutputGradient() is { } gradient) context.SetInputGradient(0, gradient);
    }
}
