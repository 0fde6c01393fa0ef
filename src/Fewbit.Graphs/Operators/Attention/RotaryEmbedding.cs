using System.Numerics;
using Fewbit.Tensors;

namespace Fewbit.Graphs.Operators;

/// <summary>ONNX RotaryEmbedding, opset 23: turns pairs of elements of each head by an angle that depends on the position.</summary>
/// <param name="Heads">Heads of an input [N, L, heads * size].</param>
/// <param name="RotaryLength">Elements of a head that are turned; 0 for all.</param>
/// <param name="IsInterleaved">Whether pairs are neighbours; otherwise the halves of the turned part are paired.</param>
/// <param name="PositionsFirst">com.microsoft: input 1 holds the positions (or one, of the first element), inputs 2 and 3 the angles.</param>
internal sealed record RotaryEmbedding(long Heads, long RotaryLength, bool IsInterleaved, bool PositionsFirst = false) : ICompiledOperator, IDifferentiable
{
    private int Positions => PositionsFirst ? 1 : 3;

    private int Cosines => PositionsFirst ? 2 : 1;

    private int Sines => Cosines + 1;

    public static RotaryEmbedding Parse(Node node) => new(node.Int("num_heads", 0), node.Int("rotary_embedding_dim", 0), node.Int("interleaved", 0) != 0);

    public static RotaryEmbedding ParseContributed(Node node)
    {
        node.Expect(node.Int("is_packed_batching", 0) == 0 && node.Float("scale", 1) == 1, $"has is_packed_batching or scale, which are not supported");
        return Parse(node) with { PositionsFirst = true };
    }

    public void Infer(InferenceContext context)
    {
        context.Node.ExpectInputs(PositionsFirst ? 4 : 3, 4);
        if (context.InputShape(0) is { } x)
        {
            context.Node.Expect(x.Rank is 3 or 4, $"input has shape {x}, expected [N, heads, L, size] or [N, L, heads * size]");
            context.Node.Expect(x.Rank == 4 || Heads > 0 || PositionsFirst, $"input has shape {x}, expected the attribute num_heads");
            context.Node.Expect(x.Rank == 4 || !x[2].IsKnown || Heads == 0 || (Heads > 0 && x[2].Length % Heads == 0), $"input has shape {x}, expected a last dimension of {Heads} heads of one size");
        }
        context.SetOutput(0, context.Node.ExpectOneFloatType(context, inputs: PositionsFirst ? 1 : 3), context.InputShape(0));
    }

    public void Evaluate(EvaluationContext context) => this.PrepareAndRun(context);

    public IKernel? Compile(CompilationContext context) => context.InputType(0) switch
    {
        ElementType.Float32 => new Kernel<float>(this),
        ElementType.Float64 => new Kernel<double>(this),
        var other => context.Node.NoKernel(other),
    };

    public void Gradient(GradientContext context)
    {
        context.Node.Expect(!context.Needs(Cosines) && !context.Needs(Sines), $"has no gradient rule for its cosines and sines");
        CompositeGradient.Apply(context, inputs => [SpellOut(context.Node, inputs)]);
    }

    /// <summary>The turned pairs in simpler operators.</summary>
    private Value SpellOut(Node node, Value?[] inputs)
    {
        (Value x, Value cosines, Value sines) = (inputs[0]!, inputs[Cosines]!, inputs[Sines]!);
        if (x.Shape is not { } shape || !shape.Dims[^1].IsKnown || cosines.Shape is not { Rank: > 0 } angles || !angles.Dims[^1].IsKnown) throw node.Fail("has an input or angles of unknown size, which its gradient rule needs");
        Graph graph = x.Graph;
        Value Integers(params ReadOnlySpan<long> numbers) => graph.AddConstant("lengths", Tensor.From(numbers));
        long pairs = angles.Dims[^1].Length, width = shape.Dims[^1].Length, heads = shape.Rank == 4 ? 1 : Heads > 0 ? Heads : width / (2 * pairs), size = width / heads;
        bool isSplit = shape.Rank == 4;
        Value rows = isSplit ? x : x.Apply("Reshape", Integers(0, 0, heads, size));
        Value a = rows.Apply("Slice", Integers(0), Integers(2 * pairs), Integers(-1)), rest = rows.Apply("Slice", Integers(2 * pairs), Integers(size), Integers(-1)), b;
        Value Part(Value whole, long first, long end, long step) => whole.Apply("Slice", Integers(first), Integers(end), Integers(-1), Integers(step));
        (a, b) = IsInterleaved ? (Part(a, 0, 2 * pairs, 2), Part(a, 1, 2 * pairs, 2)) : (Part(a, 0, pairs, 1), Part(a, pairs, 2 * pairs, 1));
        (Value c, Value s) = (Angles(cosines), Angles(sines));
        (Value left, Value right) = (c * a - s * b, s * a + c * b);
        Value turned;
        if (IsInterleaved)
        {
            Value last = Integers(-1);
            turned = left.Apply("Unsqueeze", last).Apply("Concat", new Attributes { { "axis", -1 } }, right.Apply("Unsqueeze", last)).Apply("Reshape", Integers(0, 0, 0, 2 * pairs));
        }
        else turned = left.Apply("Concat", new Attributes { { "axis", -1 } }, right);
        if (2 * pairs < size) turned = turned.Apply("Concat", new Attributes { { "axis", -1 } }, rest);
        return isSplit ? turned : turned.Apply("Reshape", x.Apply("Shape"));

        // One row for each place [N, L, pairs], with a dimension for the heads.
        Value Angles(Value table)
        {
            Value length = x.Apply("Shape", new Attributes { { "start", isSplit ? 2 : 1 }, { "end", isSplit ? 3 : 2 } }), items = x.Apply("Shape", new Attributes { { "start", 0 }, { "end", 1 } });
            Value places = graph.AddConstant("zero", Tensor.Scalar(0L)).Apply("Range", length.Apply("Squeeze"), graph.AddConstant("one", Tensor.Scalar(1L)));
            Value? stated = Positions < inputs.Length ? inputs[Positions] : null;
            Value rowsOf = table;
            if (stated is { Shape: { IsKnown: true } known } && known.ToShape().ElementCount == 1) rowsOf = table.Apply("Gather", places + stated.Apply("Reshape", Integers(1))).Apply("Unsqueeze", Integers(0));
            else if (stated is not null) rowsOf = table.Apply("Gather", stated);
            else rowsOf = table.Apply("Reshape", items.Apply("Concat", new Attributes { { "axis", 0 } }, length, Integers(pairs)));
            return rowsOf.Apply("Unsqueeze", Integers(isSplit ? 1 : 2));
        }
    }

    /// <summary>The kernel by itself, for operators that turn queries and keys among other things.</summary>
    public IKernel ToKernel<T>() where T : unmanaged, INumber<T> => new Kernel<T>(this);

    private sealed class Kernel<T>(RotaryEmbedding op) : IKernel where T : unmanaged, INumber<T>
    {
        public void Run(EvaluationContext context)
        {
            Shape x = context.Input(0).Shape, angles = context.Input(op.Cosines).Shape;
            context.Node.Expect(angles.Rank > 0, $"cosines are one number, expected at least one dimension");
            bool isSplit = x.Rank == 4;
            long stated = op.Heads > 0 || isSplit ? op.Heads : x[2] / Math.Max(1, 2 * context.Input(op.Cosines).Shape.Dims[^1]);
            int heads = (int)(isSplit ? x[1] : stated), length = (int)(isSplit ? x[2] : x[1]), size = (int)(isSplit ? x[3] : x[2] / Math.Max(1, heads));
            int pairs = (int)(op.RotaryLength > 0 ? op.RotaryLength : size) / 2;
            Span<long> positions = context.FindInput(op.Positions) is { } given ? given.Span<long>() : default;
            Span<T> from = context.Input(0).Span<T>(), to = context.Output(0).Span<T>(), cosines = context.Input(op.Cosines).Span<T>(), sines = context.Input(op.Sines).Span<T>();
            context.Node.Expect(pairs > 0 && 2 * (long)pairs <= size, $"turns {2 * (long)pairs} elements of heads of {size}");
            context.Node.Expect(angles.Dims[^1] == pairs && context.Input(op.Sines).Shape == angles, $"cosines and sines have shapes {angles} and {context.Input(op.Sines).Shape}, expected one shape with {pairs} at the end");
            context.Node.Expect(positions.Length <= 1 || positions.Length == from.Length / Math.Max(1, (long)heads * size), $"has {positions.Length} positions, expected one for each of {from.Length / Math.Max(1, (long)heads * size)} places");
            for (int row = 0; row < from.Length / Math.Max(1, size); row++)
            {
                (int n, int rest) = Math.DivRem(row, heads * length);
                int l = isSplit ? rest % length : rest / heads, place = n * length + l;
                long angle = positions.IsEmpty ? place : positions.Length == 1 ? positions[0] + l : positions[place];
                context.Node.Expect(angle >= 0 && angle < cosines.Length / pairs, $"position {angle} lies outside the {cosines.Length / pairs} angles");
                Turn(from.Slice(row * size, size), to.Slice(row * size, size), cosines.Slice((int)angle * pairs, pairs), sines.Slice((int)angle * pairs, pairs));
            }
        }

        private void Turn(Span<T> from, Span<T> to, Span<T> cosines, Span<T> sines)
        {
            for (int p = 0; p < cosines.Length; p++)
            {
                (int i, int j) = op.IsInterleaved ? (2 * p, 2 * p + 1) : (p, p + cosines.Length);
                (T a, T b) = (from[i], from[j]);
                (to[i], to[j]) = (cosines[p] * a - sines[p] * b, sines[p] * a + cosines[p] * b);
            }
            from[(2 * cosines.Length)..].CopyTo(to[(2 * cosines.Length)..]);
        }
    }
}
