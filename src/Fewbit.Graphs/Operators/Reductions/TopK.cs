using System.Numerics;
using Fewbit.Tensors;

namespace Fewbit.Graphs.Operators.Reductions;

/// <summary>ONNX TopK, opset 11: the k largest or smallest elements along an axis and their places; of equal ones the first.</summary>
internal sealed record TopK(long Axis, bool IsLargest) : IDifferentiable
{
    public static TopK Parse(Node node) => new(node.Int("axis", -1), node.Int("largest", 1) != 0);

    public void Infer(InferenceContext context)
    {
        context.Node.ExpectInputs(2, 2);
        SymbolicShape? shape = context.InputShape(0);
        if (shape is not null)
        {
            int axis = context.Node.Axis(Axis, shape.Rank);
            Dim k = context.InputInts(1) is [var given] ? Count(context.Node, given, shape, axis) : Dim.Unknown;
            shape = shape.With(axis, k);
        }
        context.SetOutput(0, context.InputType(0), shape);
        context.SetOutput(1, ElementType.Int64, shape);
    }

    public void Evaluate(EvaluationContext context)
    {
        if (!Converted.ThroughFloat32(context, this)) ElementDispatch.Number(context.Node, context.Input(0).Type, new Action(context, this));
    }

    public void Gradient(GradientContext context)
    {
        if (!context.Needs(0) || context.OutputGradient() is not { } gradient) return;
        context.SetInputGradient(0, context.Input(0).Filled(0).Apply("ScatterElements", new Attributes { { "axis", Axis }, { "reduction", "add" } }, context.Output(1), gradient));
    }

    private static Dim Count(Node node, long k, SymbolicShape shape, int axis)
    {
        node.Expect(k >= 0 && (!shape[axis].IsKnown || k <= shape[axis].Length), $"takes {k} of the {shape[axis]} elements along axis {axis} of {shape}");
        return k;
    }

    private readonly unsafe struct Action(EvaluationContext context, TopK settings) : INumberAction
    {
        public void Run<T>() where T : unmanaged, INumber<T>
        {
            Tensor input = context.Input(0), values = context.Output(0);
            int axis = context.Node.Axis(settings.Axis, input.Rank);
            int outer = (int)input.Shape.CountOf(0, axis), length = (int)input.Shape[axis], inner = (int)input.Shape.CountOf(axis + 1, input.Rank), k = (int)values.Shape[axis];
            Span<T> x = input.Span<T>(), y = values.Span<T>();
            Span<long> places = context.HasOutput(1) ? context.Output(1).Span<long>() : default;
            var taken = new Span<int>(context.Scratch(Math.Max(1L, k) * sizeof(int)), k);
            for (int i = 0; i < outer * inner; i++)
            {
                int start = i / inner * length * inner + i % inner, to = i / inner * k * inner + i % inner;
                new Slice<T>(x[start..], inner, settings.IsLargest).Take(taken, length);
                for (int j = 0; j < k; j++)
                {
                    y[to + j * inner] = x[start + taken[j] * inner];
                    if (!places.IsEmpty) places[to + j * inner] = taken[j];
                }
            }
        }
    }

    /// <summary>Elements along the axis. Larger numbers come first (or smaller ones), NaN as the largest, equal ones by place.</summary>
    private readonly ref struct Slice<T>(ReadOnlySpan<T> x, int step, bool isLargest) where T : unmanaged, INumber<T>
    {
        private readonly ReadOnlySpan<T> _x = x;

        /// <summary>The places of the first elements, in their order: a heap keeps the last of those taken so far at its root.</summary>
        public void Take(Span<int> taken, int length)
        {
            if (taken.IsEmpty) return;
            for (int i = 0; i < taken.Length; i++) taken[i] = i;
            for (int i = taken.Length / 2 - 1; i >= 0; i--) Sink(taken, i);
            for (int i = taken.Length; i < length; i++)
            {
                if (!ComesBefore(i, taken[0])) continue;
                taken[0] = i;
                Sink(taken, 0);
            }
            for (int end = taken.Length - 1; end > 0; end--)
            {
                (taken[0], taken[end]) = (taken[end], taken[0]);
                Sink(taken[..end], 0);
            }
        }

        private void Sink(Span<int> heap, int at)
        {
            for (int child; (child = 2 * at + 1) < heap.Length; at = child)
            {
                if (child + 1 < heap.Length && ComesBefore(heap[child], heap[child + 1])) child++;
                if (!ComesBefore(heap[at], heap[child])) return;
                (heap[at], heap[child]) = (heap[child], heap[at]);
            }
        }

        private bool ComesBefore(int a, int b)
        {
            (T x, T y) = (_x[a * step], _x[b * step]);
            int sign = T.IsNaN(x) || T.IsNaN(y) ? T.IsNaN(x).CompareTo(T.IsNaN(y)) : x.CompareTo(y);
            return sign == 0 ? a < b : sign > 0 == isLargest;
        }
    }
}
