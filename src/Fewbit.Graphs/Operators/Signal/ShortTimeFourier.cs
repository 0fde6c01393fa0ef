using System.Numerics;
using Fewbit.Tensors;

namespace Fewbit.Graphs.Operators.Signal;

/// <summary>ONNX STFT, opset 17: the transforms [N, frames, bins, 2] of frames that move over a signal [N, length, 1 or 2], each times a window.</summary>
/// <param name="IsOnesided">Whether only the first length / 2 + 1 bins are given, as a real signal needs.</param>
internal sealed record ShortTimeFourier(bool IsOnesided) : IDifferentiable
{
    private const int Step = 1, Window = 2, FrameLength = 3;

    public static ShortTimeFourier Parse(Node node) => new(node.Int("onesided", 1) != 0);

    public void Infer(InferenceContext context)
    {
        Node node = context.Node;
        node.ExpectInputs(2, 4);
        context.ExpectType(0, ElementTypes.IsFloat, "a float type");
        SymbolicShape? x = context.InputShape(0);
        node.Expect(x is null or { Rank: 2 or 3 }, $"signal has shape {x}, expected [N, length, 1] or [N, length, 2]");
        node.Expect(x is not { Rank: 3 } || !x[2].IsKnown || x[2].Length is 1 or 2, $"signal has shape {x}, expected [N, length, 1] or [N, length, 2]");
        Dim length = Frame(context), frames = Dim.Unknown;
        if (x is not null && context.InputInts(Step) is { } step && x[1].IsKnown && length.IsKnown)
        {
            node.Expect(step.Length == 1 && step[0] >= 1, $"frame_step is [{string.Join(", ", step)}], expected one number of 1 or more");
            node.Expect(length.Length >= 1 && length.Length <= x[1].Length, $"frames are {length} long, but the signal {x} is shorter");
            frames = 1 + (x[1].Length - length.Length) / step[0];
        }
        context.SetOutput(0, context.InputType(0), [x?[0] ?? Dim.Unknown, frames, IsOnesided ? length.Map(n => n / 2 + 1) : length, 2]);
    }

    public void Evaluate(EvaluationContext context)
    {
        if (!Converted.ThroughFloat32(context, this)) ElementDispatch.Real(context.Node, context.Input(0).Type, new Action(context));
    }

    /// <summary>Frames are gathered, weighted, and transformed.</summary>
    public void Gradient(GradientContext context) => CompositeGradient.Apply(context, inputs =>
    {
        Value signal = inputs[0]!;
        Node node = context.Node;
        int step = (int)node.KnownInts(Step)[0], frames = node.KnownLength(context.Output(), 1);
        int length = node.Input(FrameLength) is not null ? (int)node.KnownInts(FrameLength)[0] : node.KnownLength(inputs.ElementAtOrDefault(Window) ?? signal, node.Input(Window) is null ? 1 : 0);
        long[] places = [.. Enumerable.Range(0, frames * length).Select(i => (long)(i / length * step + i % length))];
        Value frame = (node.KnownRank(signal) == 2 ? signal.Apply("Unsqueeze", signal.Integers("axes", 2)) : signal)
            .Apply("Gather", new Attributes { { "axis", 1 } }, context.Graph.AddConstant("frames", Tensor.From<long>(places, [frames, length])));
        if (inputs.ElementAtOrDefault(Window) is { } window) frame *= window.To(-1, 1);
        var attributes = new Attributes { { "onesided", IsOnesided } };
        if (node.OpsetVersion >= 20) return [frame.Apply("DFT", attributes, null, context.Graph.AddConstant("axis", Tensor.Scalar(2L)))];
        attributes.Add("axis", 2);
        return [frame.Apply("DFT", attributes)];
    });

    private static Dim Frame(InferenceContext context)
    {
        SymbolicShape? window = context.HasInput(Window) ? context.InputShape(Window) : null;
        context.Node.Expect(window is null or { Rank: 1 }, $"window has shape {window}, expected one dimension");
        if (!context.HasInput(FrameLength)) return window is not null ? window[0] : context.HasInput(Window) ? Dim.Unknown : context.InputShape(0)?[1] ?? Dim.Unknown;
        if (context.InputInts(FrameLength) is not { } given) return Dim.Unknown;
        context.Node.Expect(given.Length == 1 && given[0] >= 1, $"frame_length is [{string.Join(", ", given)}], expected one number of 1 or more");
        context.Node.Expect(window is null || window[0].MayEqual(given[0]), $"window has shape {window}, but frame_length is {given[0]}");
        return given[0];
    }

    private readonly struct Action(EvaluationContext context) : IRealAction
    {
        public void Run<T>() where T : unmanaged, IBinaryFloatingPointIeee754<T>
        {
            Tensor signal = context.Input(0), output = context.Output(0);
            Tensor? window = context.FindInput(Window);
            int parts = signal.Rank == 3 ? (int)signal.Shape[2] : 1, samples = (int)signal.Shape[1], step = (int)context.Node.ReadInt(context.Input(Step));
            int length = context.FindInput(FrameLength) is { } stated ? (int)context.Node.ReadInt(stated) : (int)(window?.ElementCount ?? samples);
            int frames = (int)output.Shape[1], bins = (int)output.Shape[2];
            Span<T> x = signal.Span<T>(), y = output.Span<T>(), weights = window is null ? default : window.Span<T>();
            var transform = FourierTransform.Of(length);
            var values = new Complex[length];
            for (int i = 0; i < signal.Shape[0] * frames; i++)
            {
                int start = i / frames * samples + i % frames * step;
                for (int n = 0; n < length; n++)
                {
                    int at = (start + n) * parts;
                    double weight = weights.IsEmpty ? 1 : double.CreateChecked(weights[n]);
                    values[n] = new Complex(double.CreateChecked(x[at]), parts == 2 ? double.CreateChecked(x[at + 1]) : 0) * weight;
                }
                transform.Run(values, isInverse: false);
                for (int k = 0; k < bins; k++) (y[(i * bins + k) * 2], y[(i * bins + k) * 2 + 1]) = (T.CreateChecked(values[k].Real), T.CreateChecked(values[k].Imaginary));
            }
        }
    }
}
