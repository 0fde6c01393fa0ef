using System.Numerics;
using Fewbit.Tensors;

namespace Fewbit.Graphs.Operators;

/// <summary>ONNX CausalConvWithState, opset 27: each channel of x [N, C, L] convolved with its own kernel [C, 1, K] over the last K elements; the state [N, C, K - 1] is what came before.</summary>
/// <param name="IsSwish">Whether y * sigmoid(y) is applied (activation silu or swish).</param>
internal sealed record CausalConvWithState(bool IsSwish) : IDifferentiable
{
    private const int Weight = 1, Bias = 2, State = 3;

    public static CausalConvWithState Parse(Node node) => new(node.String("activation", "none") switch
    {
        "none" or "" => false,
        "silu" or "swish" => true,
        var other => throw node.Fail($"activation is '{other}', expected none, silu or swish"),
    });

    public void Infer(InferenceContext context)
    {
        Node node = context.Node;
        node.ExpectInputs(2, 4);
        ElementType type = node.ExpectOneFloatType(context);
        SymbolicShape? x = context.InputShape(0), w = context.InputShape(Weight);
        node.Expect(x is null or { Rank: 3 }, $"input has shape {x}, expected [N, C, L]");
        node.Expect(w is null || (w.Rank == 3 && w[1].MayEqual(1) && (!w[2].IsKnown || w[2].Length >= 1)), $"weight has shape {w}, expected [C, 1, K]");
        node.Expect(x is null || w is null || x[1].MayEqual(w[0]), $"input {x} has {x?[1]} channels, but the weight {w} is for {w?[0]}");
        Dim channels = x?[1] ?? Dim.Unknown, states = w?[2].Map(length => length - 1) ?? Dim.Unknown;
        node.ExpectVector(context, Bias, channels, "bias");
        SymbolicShape state = [x?[0] ?? Dim.Unknown, channels, states];
        if (context.HasInput(State) && context.InputShape(State) is { } past)
        {
            bool fits = past.Rank == 3 && Enumerable.Range(0, 3).All(axis => past[axis].MayEqual(state[axis]));
            node.Expect(fits, $"past_state has shape {past}, expected {state}");
        }
        context.SetOutput(0, type, x);
        context.SetOutput(1, type, state);
    }

    public void Evaluate(EvaluationContext context)
    {
        if (!Converted.ThroughFloat32(context, this)) ElementDispatch.Real(context.Node, context.Input(0).Type, new Action(context, this));
    }

    public void Gradient(GradientContext context) => CompositeGradient.Apply(context, inputs =>
    {
        (Value x, Value w) = (inputs[0]!, inputs[Weight]!);
        long before = context.Node.KnownLength(w, 2) - 1, channels = context.Node.KnownLength(w, 0);
        Value padded = inputs.ElementAtOrDefault(State) is { } past ? past.Concat(2, x) : x.Pad([0, 0, before], [0, 0, 0]);
        Value sum = padded.Apply("Conv", new Attributes { { "group", channels } }, w, inputs.ElementAtOrDefault(Bias));
        // The last elements, none where the kernel has one tap.
        Value next = padded.Apply("Slice", padded.Lengths(2, 3) - x.Integers("before", before), x.Integers("ends", long.MaxValue), x.Integers("axes", 2));
        return [IsSwish ? sum * sum.Apply("Sigmoid") : sum, next];
    });

    private readonly struct Action(EvaluationContext context, CausalConvWithState settings) : IRealAction
    {
        public void Run<T>() where T : unmanaged, IBinaryFloatingPointIeee754<T>
        {
            Tensor input = context.Input(0);
            int channels = (int)input.Shape[1], length = (int)input.Shape[2], taps = (int)context.Input(Weight).Shape[2], before = taps - 1;
            Span<T> x = input.Span<T>(), w = context.Input(Weight).Span<T>(), y = context.Output(0).Span<T>(), bias = Optional<T>(context.FindInput(Bias)), past = Optional<T>(context.FindInput(State));
            Span<T> next = context.HasOutput(1) ? context.Output(1).Span<T>() : default;
            var padded = new T[before + length];
            for (int row = 0; row < input.Shape[0] * channels; row++)
            {
                if (!past.IsEmpty) past.Slice(row * before, before).CopyTo(padded);
                x.Slice(row * length, length).CopyTo(padded.AsSpan(before));
                ReadOnlySpan<T> kernel = w.Slice(row % channels * taps, taps);
                for (int i = 0; i < length; i++)
                {
                    T sum = bias.IsEmpty ? T.Zero : bias[row % channels];
                    for (int k = 0; k < taps; k++) sum += padded[i + k] * kernel[k];
                    y[row * length + i] = settings.IsSwish ? sum / (T.One + T.Exp(-sum)) : sum;
                }
                if (!next.IsEmpty) padded.AsSpan(length).CopyTo(next[(row * before)..]);
            }
        }

        private static Span<T> Optional<T>(Tensor? tensor) where T : unmanaged => tensor is null ? default : tensor.Span<T>();
    }
}
