using System.Numerics;
using Fewbit.Tensors;

namespace Fewbit.Graphs.Operators;

/// <summary>ONNX RotaryEmbedding, opset 23: turns pairs of elements of each head by an angle that depends on the position.</summary>
/// <param name="Heads">Heads of an input [N, L, heads * size].</param>
/// <param name="RotaryLength">Elements of a head that are turned; 0 for all.</param>
/// <param name="IsInterleaved">Whether pairs are neighbours; otherwise the halves of the turned part are paired.</param>
internal sealed record RotaryEmbedding(long Heads, long RotaryLength, bool IsInterleaved) : ICompiledOperator
{
    public static RotaryEmbedding Parse(Node node) => new(node.Int("num_heads", 0), node.Int("rotary_embedding_dim", 0), node.Int("interleaved", 0) != 0);

    public void Infer(InferenceContext context)
    {
        context.Node.ExpectInputs(3, 4);
        if (context.InputShape(0) is { } x)
        {
            context.Node.Expect(x.Rank is 3 or 4, $"input has shape {x}, expected [N, heads, L, size] or [N, L, heads * size]");
            context.Node.Expect(x.Rank == 4 || Heads > 0, $"input has shape {x}, expected the attribute num_heads");
        }
        context.SetOutput(0, context.Node.ExpectOneFloatType(context, inputs: 3), context.InputShape(0));
    }

    public void Evaluate(EvaluationContext context) => this.PrepareAndRun(context);

    public IKernel? Compile(CompilationContext context) => context.InputType(0) switch
    {
        ElementType.Float32 => new Kernel<float>(this),
        ElementType.Float64 => new Kernel<double>(this),
        var other => context.Node.NoKernel(other),
    };

    private sealed class Kernel<T>(RotaryEmbedding op) : IKernel where T : unmanaged, INumber<T>
    {
        public void Run(EvaluationContext context)
        {
            Shape x = context.Input(0).Shape;
            bool isSplit = x.Rank == 4;
            int heads = (int)(isSplit ? x[1] : op.Heads), length = (int)(isSplit ? x[2] : x[1]), size = (int)(isSplit ? x[3] : x[2] / op.Heads);
            int pairs = (int)(op.RotaryLength > 0 ? op.RotaryLength : size) / 2;
            Span<long> positions = context.FindInput(3) is { } stated ? stated.Span<long>() : default;
            Span<T> from = context.Input(0).Span<T>(), to = context.Output(0).Span<T>(), cosines = context.Input(1).Span<T>(), sines = context.Input(2).Span<T>();
            context.Node.Expect(context.Input(1).Shape.Dims[^1] == pairs, $"cosines have shape {context.Input(1).Shape}, expected {pairs} at the end");
            for (int row = 0; row < from.Length / Math.Max(1, size); row++)
            {
                (int n, int rest) = Math.DivRem(row, heads * length);
                int l = isSplit ? rest % length : rest / heads, place = n * length + l;
                long angle = positions.IsEmpty ? place : positions[positions.Length == 1 ? 0 : place];
                context.Node.Expect(angle >= 0 && (angle + 1) * pairs <= cosines.Length, $"position {angle} lies outside the {cosines.Length / Math.Max(1, pairs)} angles");
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
