using Fewbit.Tensors;

namespace Fewbit.Graphs.Operators.Quantized;

/// <summary>Codes of [N, spatial, C] for operators that work on [N, C, spatial].</summary>
internal static class ChannelsLast
{
    /// <summary>[N, C, spatial] of [N, spatial, C].</summary>
    public static SymbolicShape ToFirst(SymbolicShape shape) => [shape[0], shape[shape.Rank - 1], .. shape.Dims[1..^1]];

    /// <summary>[N, spatial, C] of [N, C, spatial].</summary>
    public static SymbolicShape ToLast(SymbolicShape shape) => [shape[0], .. shape.Dims[2..], shape[1]];

    /// <summary>Runs work on tensors whose channels come first, where those of the node come last.</summary>
    /// <param name="context">Input 0 and output 0 are those of the work, of 8 bits an element.</param>
    /// <param name="work">Takes the input and the output.</param>
    public static void Run(EvaluationContext context, Action<Tensor, Tensor> work)
    {
        (Tensor x, Tensor y) = (context.Input(0), context.Output(0));
        context.Node.Expect(x.Type.Is8Bit(), $"takes {x}, expected uint8 or int8");
        Tensor first = Tensor.AllocateUninitialized(x.Type, ToFirst(SymbolicShape.From(x.Shape)).ToShape()), result = Tensor.AllocateUninitialized(y.Type, ToFirst(SymbolicShape.From(y.Shape)).ToShape());
        Swap(x.Bytes, first.Bytes, (int)x.Shape[0], (int)x.Shape.CountOf(1, x.Rank - 1), (int)x.Shape[x.Rank - 1]);
        work(first, result);
        Swap(result.Bytes, y.Bytes, (int)y.Shape[0], (int)y.Shape[y.Rank - 1], (int)y.Shape.CountOf(1, y.Rank - 1));
    }

    /// <summary>[N, rows, columns] to [N, columns, rows].</summary>
    private static void Swap(ReadOnlySpan<byte> from, Span<byte> to, int batch, int rows, int columns)
    {
        for (int i = 0; i < from.Length; i++)
        {
            (int n, int rest) = Math.DivRem(i, rows * columns);
            to[n * rows * columns + rest % columns * rows + rest / columns] = from[i];
        }
    }
}
