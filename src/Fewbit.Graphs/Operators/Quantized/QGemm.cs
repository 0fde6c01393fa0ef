using Fewbit.Tensors;

namespace Fewbit.Graphs.Operators.Quantized;

/// <summary>
/// com.microsoft QGemm(a, sa, za, b, sb, zb, c, sy, zy): the sums of (a - za)(b - zb) + c as codes with the factor alpha * sa * sb / sy;
/// without sy as float32 with the factor alpha * sa * sb.
/// </summary>
internal sealed record QGemm(float Alpha, bool TransposesA, bool TransposesB) : ICompiledOperator
{
    private static readonly ProductInputs Inputs = new(X: 0, XScale: 1, XZeroPoint: 2, W: 3, WScale: 4, WZeroPoint: 5, YScale: 7, YZeroPoint: 8, Bias: 6);

    public static QGemm Parse(Node node) => new(node.Float("alpha", 1), node.Int("transA", 0) != 0, node.Int("transB", 0) != 0);

    public void Infer(InferenceContext context)
    {
        Node node = context.Node;
        node.ExpectInputs(6, 9);
        SymbolicShape? shape = null;
        if (context.InputShape(0) is { } a && context.InputShape(3) is { } b)
        {
            node.Expect(a.Rank == 2 && b.Rank == 2, $"multiplies {a} and {b}, expected two matrices");
            node.Expect(a[TransposesA ? 0 : 1].MayEqual(b[TransposesB ? 1 : 0]), $"matrices {a} and {b} do not multiply (transA {TransposesA}, transB {TransposesB})");
            shape = [a[TransposesA ? 1 : 0], b[TransposesB ? 0 : 1]];
        }
        context.SetOutput(0, context.HasInput(8) ? context.InputType(8) : ElementType.Float32, shape);
    }

    public void Evaluate(EvaluationContext context) => this.PrepareAndRun(context);

    public IKernel Compile(CompilationContext context)
    {
        (Shape a, Shape b) = (context.InputShape(0), context.InputShape(3));
        var product = IntegerMatrixProduct.Of(context.Node, TransposesA ? [a[1], a[0]] : a, TransposesB ? [b[1], b[0]] : b);
        bool isVectorBias = !context.HasInput(6) || context.InputShape(6).ElementCount == product.Columns && context.InputShape(6) is var bias && bias[bias.Rank - 1] == product.Columns;
        if (IntegerProductKernel.Fits(context, Inputs) && !TransposesA && isVectorBias) return new IntegerProductKernel(context, product, Inputs, TransposesB, Alpha);
        return new ReferenceKernel(this, product);
    }

    /// <summary>By the definition: a left side that is stored transposed, a bias of another form.</summary>
    private sealed class ReferenceKernel(QGemm gemm, IntegerMatrixProduct product) : IKernel
    {
        public void Run(EvaluationContext context)
        {
            (int[] a, int[] b) = (Read(context.Input(0), gemm.TransposesA), Read(context.Input(3), gemm.TransposesB));
            float[] factors = Inputs.Factors(context, gemm.Alpha);
            Tensor output = context.Output(0);
            product.Run(a, context.ZeroPoint(2), b, context.ZeroPoints(5), (sums, _) =>
            {
                AddBias(context, sums, product);
                if (output.Type != ElementType.Float32)
                {
                    QuantizedSums.Columns(sums, product.Columns, factors, context.ZeroPoint(8), output);
                    return;
                }
                Span<float> y = output.Span<float>();
                for (int i = 0; i < sums.Length; i++) y[i] = sums[i] * factors[factors.Length == 1 ? 0 : i % product.Columns];
            });
        }
    }

    private static void AddBias(EvaluationContext context, int[] sums, IntegerMatrixProduct product)
    {
        if (context.FindInput(6) is not { } bias) return;
        context.Node.Expect(Shape.Broadcast(product.Output, bias.Shape) == product.Output, $"bias has shape {bias.Shape}, which does not broadcast to {product.Output}");
        ReadOnlySpan<int> values = bias.Span<int>();
        var walk = new BroadcastWalk(product.Output, product.Output, bias.Shape);
        for (int i = 0; i < sums.Length; i++)
        {
            sums[i] += values[(int)walk.B];
            walk.Next();
        }
    }

    private static int[] Read(Tensor matrix, bool transposes)
    {
        int[] codes = Codes.Read(matrix);
        if (!transposes) return codes;
        (int rows, int columns) = ((int)matrix.Shape[0], (int)matrix.Shape[1]);
        var transposed = new int[codes.Length];
        for (int row = 0; row < rows; row++)
        {
            for (int column = 0; column < columns; column++) transposed[column * rows + row] = codes[row * columns + column];
        }
        return transposed;
    }
}
