using System.Numerics;
using Fewbit.Tensors;

namespace Fewbit.Graphs.Operators;

/// <summary>ONNX LinearAttention, opset 27: a state matrix by key head that each step decays, writes k v' to and is read by q, instead of a softmax over all keys.</summary>
/// <remarks>
/// gated: S = exp(decay) S. delta: v = beta (v - S' (erase k)), so that what the state already holds at k is replaced.
/// Then S = S + k v' and y = Scale S' q. Yang et al., "Gated Delta Networks", 2024, arXiv:2412.06464.
/// </remarks>
/// <param name="QueryHeads">Heads of query [N, T, heads * size]; several may share one key head.</param>
/// <param name="KeyHeads">Heads of key and value.</param>
/// <param name="Scale">Factor of the output; 0: 1 / sqrt(size).</param>
/// <param name="IsGated">Whether the state decays.</param>
/// <param name="IsDelta">Whether a write replaces.</param>
internal sealed record LinearAttention(int QueryHeads, int KeyHeads, float Scale, bool IsGated, bool IsDelta) : IDifferentiable
{
    public const int Key = 1, ValueInput = 2, State = 3, Decay = 4, Beta = 5, Erase = 6;

    public static LinearAttention Parse(Node node)
    {
        (long queryHeads, long keyHeads) = (node.Int("q_num_heads"), node.Int("kv_num_heads"));
        node.Expect(keyHeads >= 1 && queryHeads is >= 1 and <= int.MaxValue && queryHeads % keyHeads == 0, $"q_num_heads is {queryHeads} and kv_num_heads {keyHeads}, expected a multiple");
        string rule = node.String("update_rule", "gated_delta");
        node.Expect(rule is "linear" or "gated" or "delta" or "gated_delta", $"update_rule is '{rule}', expected linear, gated, delta or gated_delta");
        return new((int)queryHeads, (int)keyHeads, node.Float("scale", 0), rule is "gated" or "gated_delta", rule is "delta" or "gated_delta");
    }

    public void Infer(InferenceContext context)
    {
        Node node = context.Node;
        node.ExpectInputs(3, 7);
        ElementType type = context.InputType(0);
        context.ExpectType(0, ElementTypes.IsFloat, "a float type");
        node.Expect(context.HasInput(Decay) == IsGated, $"update_rule is {node.String("update_rule", "gated_delta")}, expected {(IsGated ? "an" : "no")} input decay");
        node.Expect(context.HasInput(Beta) == IsDelta, $"update_rule is {node.String("update_rule", "gated_delta")}, expected {(IsDelta ? "an" : "no")} input beta");
        node.Expect(IsDelta || !context.HasInput(Erase), $"update_rule is {node.String("update_rule", "gated_delta")}, expected no input erase_gate");
        SymbolicShape? q = context.InputShape(0), k = context.InputShape(Key), v = context.InputShape(ValueInput);
        node.Expect(q is null or { Rank: 3 } && k is null or { Rank: 3 } && v is null or { Rank: 3 }, $"query, key and value have shapes {q}, {k} and {v}, expected [N, T, heads * size]");
        Dim keySize = q?[2].Map(width => Size(node, width, QueryHeads, "query")) ?? Dim.Unknown, valueSize = v?[2].Map(width => Size(node, width, KeyHeads, "value")) ?? Dim.Unknown;
        if (q is not null && k is not null && v is not null)
        {
            bool fits = q[0].MayEqual(k[0]) && q[0].MayEqual(v[0]) && q[1].MayEqual(k[1]) && q[1].MayEqual(v[1]) && k[2].MayEqual(keySize * KeyHeads);
            node.Expect(fits, $"query, key and value have shapes {q}, {k} and {v}, expected one batch, one length and heads of {keySize} in query and key");
        }
        SymbolicShape state = [q?[0] ?? Dim.Unknown, KeyHeads, keySize, valueSize];
        if (context.HasInput(State) && context.InputShape(State) is { } past)
            node.Expect(past.Rank == 4 && Enumerable.Range(0, 4).All(axis => past[axis].MayEqual(state[axis])), $"past_state has shape {past}, expected {state}");
        foreach ((int input, string name, Dim[] widths) in ((int, string, Dim[])[])[(Decay, "decay", [KeyHeads, keySize * KeyHeads]), (Beta, "beta", [KeyHeads, 1]), (Erase, "erase_gate", [keySize * KeyHeads])])
        {
            if (!context.HasInput(input) || context.InputShape(input) is not { } gate || q is null) continue;
            bool fits = gate.Rank == 3 && gate[0].MayEqual(q[0]) && gate[1].MayEqual(q[1]) && widths.Any(width => gate[2].MayEqual(width));
            node.Expect(fits, $"{name} has shape {gate}, expected [{q[0]}, {q[1]}, {string.Join(" or ", widths)}]");
        }
        context.SetOutput(0, type, q is null ? null : [q[0], q[1], valueSize * QueryHeads]);
        context.SetOutput(1, context.HasInput(State) ? context.InputType(State) : type, state);
    }

    public void Evaluate(EvaluationContext context)
    {
        // The state may be wider than the activations.
        if (Converted.ThroughFloat32(context, this)) return;
        if (context.Input(0).Type == ElementType.Float64) Run<double>(context);
        else Run<float>(context);
    }

    public void Gradient(GradientContext context) => CompositeGradient.Apply(context, inputs => LinearAttentionSpelling.SpellOut(this, context.Node, inputs));

    private static long Size(Node node, long width, int heads, string name)
    {
        node.Expect(width % heads == 0, $"{name} has rows of {width}, which {heads} heads do not divide");
        return width / heads;
    }

    private void Run<T>(EvaluationContext context) where T : unmanaged, IBinaryFloatingPointIeee754<T>
    {
        int steps = (int)context.Input(0).Shape[1], keySize = (int)context.Input(0).Shape[2] / QueryHeads, valueSize = (int)context.Input(ValueInput).Shape[2] / KeyHeads;
        var inputs = new T[7][];
        for (int i = 0; i < inputs.Length; i++) inputs[i] = context.FindInput(i) is { } tensor ? Casting.Convert(tensor, ElementTypes.Of<T>()).Span<T>().ToArray() : [];
        long heads = context.Input(0).Shape[0] * KeyHeads;
        Tensor states = Tensor.Allocate(ElementTypes.Of<T>(), [heads * keySize * valueSize]);
        inputs[State].CopyTo(states.Span<T>());
        Span<T> y = context.Output(0).Span<T>();
        for (int head = 0; head < heads; head++)
        {
            var step = new Step<T>(this, inputs, states.Span<T>().Slice(head * keySize * valueSize, keySize * valueSize), keySize, valueSize);
            for (int t = 0; t < steps; t++) step.Run(head / KeyHeads * steps + t, head % KeyHeads, y);
        }
        if (context.HasOutput(1)) Casting.Convert(states.Reshape(context.Output(1).Shape), context.Output(1));
    }

    /// <summary>One key head at one time: the rows of a batch item at a time follow each other in every input.</summary>
    private readonly ref struct Step<T>(LinearAttention op, T[][] inputs, Span<T> state, int keySize, int valueSize) where T : unmanaged, IBinaryFloatingPointIeee754<T>
    {
        private readonly Span<T> _state = state;
        private readonly T[] _write = new T[valueSize];

        public void Run(int row, int head, Span<T> y)
        {
            ReadOnlySpan<T> k = inputs[Key].AsSpan((row * op.KeyHeads + head) * keySize, keySize);
            if (op.IsGated) Fade(row, head);
            inputs[ValueInput].AsSpan((row * op.KeyHeads + head) * valueSize, valueSize).CopyTo(_write);
            if (op.IsDelta) Correct(row, head, k);
            for (int d = 0; d < keySize; d++)
            {
                for (int m = 0; m < valueSize; m++) _state[d * valueSize + m] += k[d] * _write[m];
            }
            int share = op.QueryHeads / op.KeyHeads;
            for (int h = head * share; h < (head + 1) * share; h++)
                Read(inputs[0].AsSpan((row * op.QueryHeads + h) * keySize, keySize), y.Slice((row * op.QueryHeads + h) * valueSize, valueSize));
        }

        private void Fade(int row, int head)
        {
            // One number a head, or one for each element of its key.
            int width = inputs[Decay].Length / (inputs[Key].Length / keySize);
            for (int d = 0; d < keySize; d++)
            {
                T factor = T.Exp(inputs[Decay][(row * op.KeyHeads + head) * width + (width == 1 ? 0 : d)]);
                for (int m = 0; m < valueSize; m++) _state[d * valueSize + m] *= factor;
            }
        }

        private void Correct(int row, int head, ReadOnlySpan<T> k)
        {
            bool isShared = inputs[Beta].Length * op.KeyHeads * keySize == inputs[Key].Length;
            T beta = inputs[Beta][isShared ? row : row * op.KeyHeads + head];
            for (int m = 0; m < valueSize; m++)
            {
                T held = T.Zero;
                for (int d = 0; d < keySize; d++) held += _state[d * valueSize + m] * k[d] * (inputs[Erase].Length == 0 ? T.One : inputs[Erase][(row * op.KeyHeads + head) * keySize + d]);
                _write[m] = beta * (_write[m] - held);
            }
        }

        private void Read(ReadOnlySpan<T> q, Span<T> y)
        {
            T scale = op.Scale == 0 ? T.One / T.Sqrt(T.CreateChecked(keySize)) : T.CreateChecked(op.Scale);
            for (int m = 0; m < valueSize; m++)
            {
                T sum = T.Zero;
                for (int d = 0; d < keySize; d++) sum += q[d] * _state[d * valueSize + m];
                y[m] = scale * sum;
            }
        }
    }
}
